"""Perplexity of text under a language model."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import datasets
import evaluate
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.characters import whole_characters
from hf_arae.metrics.interface import InMemoryMetric, check_texts
from hf_arae.metrics.numbers import Number

NUMBERS = {
    "perplexity": Number(
        "Perplexity",
        "exp of the mean -log p of a token of the texts for a language model; lower is likelier.",
        in_metadata=True,
    ),
}

_IGNORED = -100


class Perplexity(InMemoryMetric):
    """exp of the mean negative log-likelihood per token, end of sentence included, at least 1, lower is better.

    With a model of real text it is the fluency of samples or transfers; with a model that was trained on samples, and
    real text as predictions, it is the reverse perplexity, which catches mode collapse.

    ```python
    metric = Perplexity(model=model, tokenizer=tokenizer)
    metric.compute(predictions=["the food was good ."])
    ```

    Args:
        model: a causal language model: `model(input_ids=..., attention_mask=...).logits` is (batch, sequence,
            vocabulary), and logits at a place predict the next token. It is put into evaluation mode while scoring.
        tokenizer: its tokenizer, which adds the special tokens itself: "w1 w2" becomes `<bos> w1 w2 <eos>`.
        batch_size: sentences scored at once, on the model's own device.

    `compute` takes
        predictions: list of n str; an empty one is scored as `<eos>` alone.
    and returns `{"perplexity": float}`.

    Raises:
        TypeError: `model` is not a module, or an item is not a str.
        ValueError: the tokenizer adds no special tokens or cannot pad, `batch_size` is not positive, or there
            are no predictions, the model's logits are NaN, or a prediction contains the text of a special token
            (a model's output is to be decoded with `skip_special_tokens=True`).
    """

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, batch_size: int = 256, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a causal language model (torch.nn.Module), got {type(model).__name__}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {batch_size}")
        if tokenizer.pad_token_id is None:
            raise ValueError("tokenizer has no pad token")
        if tokenizer("")["input_ids"] != [tokenizer.bos_token_id, tokenizer.eos_token_id]:
            raise ValueError(
                'tokenizer must add the begin and the end of a sentence itself: tokenizer("") gives '
                f"{tokenizer('')['input_ids']}, not [{tokenizer.bos_token_id}, {tokenizer.eos_token_id}]"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="",
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def token_log_probabilities(self, texts: list[str]) -> list[list[float]]:
        """Returns log p (nats) of each token of each text, end of sentence included.

        Raises:
            TypeError, ValueError: as `compute` does.
        """
        sequences = self._sequences(texts)
        rows = sorted(range(len(sequences)), key=lambda row: len(sequences[row]))
        found: list[list[float]] = [[] for _ in sequences]
        with self._evaluation_mode():
            for start in range(0, len(rows), self.batch_size):
                batch = rows[start : start + self.batch_size]
                losses = self._losses([sequences[row] for row in batch], "none").view(len(batch), -1)
                for row, values in zip(batch, (-losses).tolist(), strict=True):
                    found[row] = values[: len(sequences[row]) - 1]
        return found

    def _compute(self, predictions: Any) -> dict[str, float]:
        sequences = self._sequences(predictions)
        with self._evaluation_mode():
            total = sum(self._losses(batch, "sum").item() for batch in self._batches_by_length(sequences))
        if math.isnan(total):
            raise ValueError("the language model gives no probabilities but NaN: its weights or logits are not finite")
        tokens = sum(len(ids) - 1 for ids in sequences)
        # torch's exp gives infinity where math.exp raises.
        return {"perplexity": torch.tensor(total / tokens, dtype=torch.float64).exp().item()}

    def _sequences(self, predictions: Any) -> list[list[int]]:
        texts = [whole_characters(text) for text in check_texts("predictions", predictions)]
        sequences = self.tokenizer(texts)["input_ids"]
        self._check_special_tokens(sequences)
        return sequences

    @contextmanager
    def _evaluation_mode(self) -> Iterator[None]:
        was_training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(was_training)

    def _check_special_tokens(self, sequences: list[list[int]]) -> None:
        special = {self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.pad_token_id}
        for position, ids in enumerate(sequences):
            if found := special.intersection(ids[1:-1]):
                tokens = self.tokenizer.convert_ids_to_tokens(sorted(found))
                raise ValueError(
                    f"predictions hold the special tokens {tokens} at position {position}: decode a model's output "
                    "with skip_special_tokens=True"
                )

    def _batches_by_length(self, sequences: list[list[int]]) -> Iterator[list[list[int]]]:
        # Sentences of one length side by side need next to no padding.
        ordered = sorted(sequences, key=len)
        for start in range(0, len(ordered), self.batch_size):
            yield ordered[start : start + self.batch_size]

    @torch.inference_mode()
    def _losses(self, sequences: list[list[int]], reduction: str) -> torch.Tensor:
        """-log p of the tokens after the first: of each place, `(sequences * longest)`, or all together."""
        shape = (len(sequences), max(map(len, sequences)))
        input_ids = torch.full(shape, self.tokenizer.pad_token_id)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        for row, ids in enumerate(sequences):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            attention_mask[row, : len(ids)] = 1
        parameter = next(self.model.parameters(), None)
        device = torch.device("cpu") if parameter is None else parameter.device
        input_ids, attention_mask = input_ids.to(device), attention_mask.to(device)

        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].float()
        targets = input_ids.masked_fill(attention_mask == 0, _IGNORED)[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=_IGNORED, reduction=reduction
        )
