"""Text in: loading with a fixed schema, tokenizer training, encoding, batches; and the built-in corpora."""

from hf_arae.data.batching import SentenceBatchSampler, SentenceCollator
from hf_arae.data.encoding import encode_dataset
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.reviews import build_reviews
from hf_arae.data.tokenization import train_tokenizer

__all__ = [
    "DataArguments",
    "SentenceBatchSampler",
    "SentenceCollator",
    "build_reviews",
    "encode_dataset",
    "load_labelled_text",
    "train_tokenizer",
]
