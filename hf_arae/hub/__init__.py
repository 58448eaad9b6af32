"""The Hub: code that travels with a checkpoint, cards, pushing, pulling. See `python -m hf_arae.hub --help`."""
