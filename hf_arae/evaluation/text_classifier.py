"""A convolutional classifier of sentences, for judging: of another kind than classifiers of n-grams or of codes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from hf_arae.data.text.characters import whole_characters
from hf_arae.nn.text.sentence_classifier import SentenceClassifier

VERSION = "2"  # of the network and its training: one saved by another version is not taken


class TextClassifier(SentenceClassifier):
    """A [`~hf_arae.nn.text.sentence_classifier.SentenceClassifier`] of a judge's sizes, which reads texts.

    Args:
        vocab_size: of the tokenizer.
        num_labels: at least two.
        pad_token_id: padding's embedding is 0.
    """

    def __init__(self, vocab_size: int, num_labels: int, pad_token_id: int):
        super().__init__(
            vocab_size, num_labels, embedding_size=128, maps=100, widths=(1, 2, 3), dropout=0.5, padding=pad_token_id
        )

    @torch.no_grad()
    def probabilities(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, batch_size: int = 500) -> Tensor:
        """Of the labels, for each text, `(len(texts), num_labels)`, float64, on the CPU."""
        self.eval()
        ids = _token_ids(texts, tokenizer)
        found = torch.empty(len(ids), self.output.out_features, dtype=torch.float64)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = _padded([ids[row] for row in rows], self.padding).to(self.output.weight.device)
            found[rows] = self(batch).double().softmax(1).cpu()
        return found

    def save(self, path: str | os.PathLike) -> None:
        """Writes the weights into one safetensors file."""
        path = Path(path)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
        save_file(self.state_dict(), unfinished, {"version": VERSION})
        os.replace(unfinished, path)

    def load(self, path: str | os.PathLike) -> TextClassifier:
        """Takes over the weights that `save` wrote; returns itself, in evaluation mode.

        Raises:
            ValueError: the file holds no such weights.
        """
        try:
            with safe_open(path, "pt") as file:
                version = (file.metadata() or {}).get("version")
            if version != VERSION:
                raise ValueError(f"they are of version {version}, and this is {VERSION}")
            self.load_state_dict(load_file(path))
        except Exception as error:  # safetensors and torch have errors of their own
            raise ValueError(f"{path} holds no weights of this classifier of texts: {error}") from error
        return self.eval()


def train_text_classifier(
    texts: Sequence[str],
    labels: Sequence[int],
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_labels: int,
    epochs: int = 4,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> TextClassifier:
    """Trains a [`TextClassifier`] by Adam, the rate falling to 0; returns it in evaluation mode.

    Every setting is fixed and nothing is chosen by held-out text. 23 000 sentences take about 20 seconds of one CPU
    core. Torch's global generators are left as they were. May be called inside an evaluation.

    Args:
        texts: at least one.
        labels: of each, below `num_labels`.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`]; longer texts are cut to its limit.
        epochs: passes over the texts.
        batch_size: sentences an update.
        learning_rate: at the start.
        seed: of initialisation, order and dropout.
    """
    ids, wanted = _token_ids(texts, tokenizer), torch.as_tensor(list(labels))
    with torch.random.fork_rng([]), torch.enable_grad():
        torch.manual_seed(seed)
        model = TextClassifier(len(tokenizer), num_labels, tokenizer.pad_token_id)
        optimizer = torch.optim.Adam(model.parameters(), learning_rate)
        total, update = epochs * -(-len(ids) // batch_size), 0
        for _ in range(epochs):
            for rows in torch.randperm(len(ids)).split(batch_size):
                optimizer.param_groups[0]["lr"] = learning_rate * (1 - update / total)
                batch = _padded([ids[row] for row in rows.tolist()], tokenizer.pad_token_id)
                loss = functional.cross_entropy(model(batch), wanted[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                update += 1
    return model.eval()


def _token_ids(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    whole = [whole_characters(text) for text in texts]
    return tokenizer(whole, truncation=True, return_attention_mask=False)["input_ids"]


def _padded(sentences: list[list[int]], pad_token_id: int) -> Tensor:
    batch = torch.full((len(sentences), max(map(len, sentences))), pad_token_id)
    for row, ids in enumerate(sentences):
        batch[row, : len(ids)] = torch.tensor(ids)
    return batch
