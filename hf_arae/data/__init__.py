"""Text in: loading with a fixed schema, tokenizer training, encoding, batches; and the built-in corpora.

Nothing is imported here: pipelines need one small module of this folder, and not `datasets`.
"""
