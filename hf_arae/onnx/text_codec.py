"""From texts to token ids and back by a saved tokenizer, without transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from hf_arae.onnx.layout import TOKENIZER, TOKENIZER_CONFIG, read_json

NO_LIMIT = 2**31  # transformers writes a huge number where a tokenizer has none


class TextCodec:
    """A fast tokenizer as transformers saves it.

    Args:
        folder: holds `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        ValueError: one of them is damaged; it is named.
    """

    def __init__(self, folder: Path):
        settings = read_json(folder / TOKENIZER_CONFIG)
        limit = settings.get("model_max_length", NO_LIMIT)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
            raise ValueError(f"{folder / TOKENIZER_CONFIG} names the model_max_length {limit!r}, which is no length")
        try:
            self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # tokenizers raises Exception itself
            raise ValueError(f"{folder / TOKENIZER} is no tokenizer, or is damaged: {error}") from error
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.encode_special_tokens = bool(settings.get("split_special_tokens", False))
        self.frame = self.tokenizer.num_special_tokens_to_add(False)
        self.limit = int(min(limit, NO_LIMIT)) - self.frame  # words of the longest text

    def ids(self, texts: Sequence[str], truncation: bool = False) -> list[list[int]]:
        """Token ids of each text, `<bos>` and `<eos>` included; cut to the limit if `truncation`.

        What is cut is the result: the tokenizer, which threads may share, stays as it is.
        """
        if not truncation:
            return [part.ids for part in self.tokenizer.encode_batch(texts)]
        parts = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        for part in parts:
            part.truncate(self.limit)
        return [self.tokenizer.post_process(part).ids for part in parts]

    def texts(self, ids: np.ndarray) -> list[str]:
        """Words of `(rows, sequence)`, separated by spaces; special tokens are left out."""
        return self.tokenizer.decode_batch(ids.tolist(), skip_special_tokens=True)
