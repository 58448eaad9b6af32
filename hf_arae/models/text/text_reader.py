"""What text families share, whatever their networks are: whose tokenizer they read by, and their tables of words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from hf_arae.models.base import FamilyModel
from hf_arae.models.text.tokenizer_check import check_tokenizer


class TextReader(FamilyModel):
    """Base of models that read text in a tokenizer's words, and need not write any.

    The config has `pad_token_id`, `bos_token_id`, `eos_token_id`, `unk_token_id` and `mask_token_id`.
    """

    base_model_prefix = ""
    main_input_name = "input_ids"
    _no_split_modules = []

    def check_processor(self, processor: PreTrainedTokenizerBase | None) -> None:
        """Makes sure that a tokenizer is this model's, see `check_tokenizer`.

        Raises:
            ValueError: it is not, or there is none.
        """
        check_tokenizer(processor, self.config)

    def words(self, input_ids: Tensor) -> Tensor:
        """Which tokens are words: neither padding nor `<bos>` or `<eos>`; `(batch, sequence)` bool."""
        frame = (self.config.pad_token_id, self.config.bos_token_id, self.config.eos_token_id)
        return ~torch.isin(input_ids, input_ids.new_tensor([token for token in frame if token is not None]))

    def _special_tokens(self) -> list[int]:
        names = ("pad", "bos", "eos", "unk", "mask")
        return [token for name in names if (token := getattr(self.config, f"{name}_token_id")) is not None]

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        """Modules and names of their tensors that have a row for each word."""
        raise NotImplementedError

    @torch.no_grad()
    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Gives every table of words `new_num_tokens` rows, in the config too; returns the encoder's, or the writer's.

        Args:
            new_num_tokens: the tokenizer's length. `None` changes nothing.
            pad_to_multiple_of: must be `None`.
            mean_resizing: new words begin as the mean of the others, or else as random as they are. Of no word it is
                known which attribute it speaks for.

        Raises:
            ValueError: fewer words than special tokens, or rows that no word has (`pad_to_multiple_of`): tokenizer and
                model are to know the same words.
        """
        if pad_to_multiple_of is not None:
            raise ValueError("pad_to_multiple_of is not supported: a model has a row for each word of its tokenizer")
        if new_num_tokens is None or new_num_tokens == self.config.vocab_size:
            return self.get_input_embeddings()
        min_tokens = 1 + max(self._special_tokens())
        if new_num_tokens < min_tokens:
            raise ValueError(
                f"new_num_tokens must be at least {min_tokens}, for the special tokens; got {new_num_tokens}"
            )
        for module, name in self._word_tables():
            old = getattr(module, name)
            new = old.new_zeros(new_num_tokens, *old.shape[1:])
            new[: len(old)] = old[:new_num_tokens]
            if new_num_tokens > len(old) and isinstance(old, nn.Parameter):
                new[len(old) :] = old.mean(0) if mean_resizing else torch.randn_like(new[len(old) :]) * old.std()
            if isinstance(old, nn.Parameter):
                new = nn.Parameter(new, requires_grad=old.requires_grad)
            setattr(module, name, new)
            for size in ("num_embeddings", "out_features"):
                if hasattr(module, size):
                    setattr(module, size, new_num_tokens)
        self.config.vocab_size = new_num_tokens
        return self.get_input_embeddings()


__all__ = ["TextReader"]
