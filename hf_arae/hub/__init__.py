"""The Hub: checkpoints that carry their code, cards, pushing and pulling. At the prompt: `python -m hf_arae.hub --help`."""
