"""From texts to token ids and back by a saved tokenizer, without transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from hf_arae.onnx.layout import TOKENIZER, TOKENIZER_CONFIG


class TextCodec:
    """A fast tokenizer as transformers saves it.

    Args:
        folder: holds `tokenizer.json` and `tokenizer_config.json`.
    """

    def __init__(self, folder: Path):
        settings = json.loads((folder / TOKENIZER_CONFIG).read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.encode_special_tokens = bool(settings.get("split_special_tokens", False))
        self.frame = self.tokenizer.num_special_tokens_to_add(False)
        self.limit = int(settings.get("model_max_length", 10**30)) - self.frame  # words of the longest text

    def ids(self, texts: Sequence[str], truncation: bool = False) -> list[list[int]]:
        """Token ids of each text, `<bos>` and `<eos>` included; cut to the limit if `truncation`."""
        if not truncation:
            return [part.ids for part in self.tokenizer.encode_batch(texts)]
        if self.limit < 10**9:  # transformers writes a huge number for none
            self.tokenizer.enable_truncation(self.limit + self.frame)
        try:
            return [part.ids for part in self.tokenizer.encode_batch(texts)]
        finally:
            self.tokenizer.no_truncation()

    def texts(self, ids: np.ndarray) -> list[str]:
        """Words of `(rows, sequence)`, separated by spaces; special tokens are left out."""
        return self.tokenizer.decode_batch(ids.tolist(), skip_special_tokens=True)
