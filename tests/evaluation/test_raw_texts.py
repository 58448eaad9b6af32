"""Texts as people write them: a model that copies perfectly is scored as one, by every evaluator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value

from hf_arae.data.text.encoding import read_dataset
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.style_transfer import StyleTransferEvaluator, TransferJudges
from hf_arae.evaluation.summarization import SummarizationEvaluator
from hf_arae.evaluation.text_generation import TextGenerationEvaluator

RAW = {
    0: [
        "The food was AWFUL!",
        "I didn't like it, at all\u2026",
        "He said \u201cno\u201d \u2013 twice.",
        "Don\u2019t go (ever).",
    ],
    1: [
        "The food was GREAT!",
        "I did like it, very much.",
        "It&#39;s   so\u200b good;\tgo!",
        '"Lovely staff", we said.',
    ],
}
TEXTS, LABELS = (
    [text for texts in RAW.values() for text in texts],
    [label for label, texts in RAW.items() for _ in texts],
)
WIDTH = 24


class Copier:
    """Codes are the ids themselves, so that everything is rebuilt."""

    device = torch.device("cpu")

    def __init__(self, labels: int = 1):
        names = {0: "bad", 1: "good"}
        self.config = SimpleNamespace(
            num_attributes=labels, id2label=names, code_size=WIDTH, max_summary_length=WIDTH, eos_token_id=2
        )

    def encode(self, ids, mask=None):
        return torch.nn.functional.pad(ids, (0, WIDTH - ids.shape[1])).float()

    def transfer(self, ids, mask, target, **arguments):
        return ids

    def decode(self, code, attribute=None, **arguments):
        return code.long()

    def reconstruct(self, ids, mask, attribute=None, **arguments):
        return ids

    def sample(self, count, seed=0, **arguments):
        return torch.tensor([[1, 5 + row % 3, 2] for row in range(count)])

    def sample_codes(self, count, generator=None):
        return torch.randn(count, WIDTH, generator=generator)

    def log_probability(self, code, ids, attribute=None):
        return torch.zeros(len(ids))

    def summarize(self, ids, mask, **arguments):
        return ids

    def reconstruct_loss(self, written, ids):
        return torch.zeros(len(ids)), torch.ones(len(ids))

    def language_model_score(self, written):
        return torch.zeros(len(written))


def labelled(texts=TEXTS, labels=LABELS) -> Dataset:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    return Dataset.from_dict({"text": texts, "label": labels}, features=features)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, max_length=20)


def test_style_transfer(tokenizer):
    judges = TransferJudges.from_dataset(labelled(), labelled(), tokenizer)
    evaluator = StyleTransferEvaluator(tokenizer, labelled(), judges, num_samples=0, num_printed=4)
    metrics = evaluator(Copier(labels=2)).metrics
    for name in ("source_bleu", "reconstruction_bleu", "exact_match", "word_overlap"):
        assert metrics[name] == pytest.approx(100), name
    assert metrics["transfer_accuracy"] == 0 and judges.accuracy.held_out_accuracy == 100


def test_judges_read_sources_outputs_and_references(tokenizer):
    judges = TransferJudges.from_dataset(labelled(), labelled(), tokenizer)
    as_written = [text.upper() for text in TEXTS]  # outputs of a system that writes capitals, as the sources have them
    row = judges.score(TEXTS, as_written, LABELS, [[text, "Nothing like it."] for text in TEXTS])
    for name in ("source_bleu", "reference_bleu", "word_overlap", "transfer_accuracy"):
        assert row[name] == pytest.approx(100), name


def test_judges_of_texts_that_are_read_already_score_as_before(tokenizer):
    read = read_dataset(labelled(), tokenizer, "train")
    texts = read["text"][:]
    assert all("unk" not in text for text in texts)
    one, other = (
        TransferJudges.from_dataset(read, read),
        TransferJudges.from_dataset(labelled(), labelled(), tokenizer),
    )
    turned = texts[::-1]
    assert one.score(texts, turned, LABELS) == other.score(texts, turned, LABELS)


def test_text_generation(tokenizer):
    metrics = TextGenerationEvaluator(tokenizer, TEXTS, num_samples=4)(Copier()).metrics
    assert metrics["reconstruction_bleu"] == pytest.approx(100) and metrics["exact_match"] == 100


def test_summarization():
    documents = [
        "Japan\u2019s NEC Corp. said \u201cyes\u201d to 1,200 workers.",
        "Caf\u00e9s closed at 10:30 in Z\u00fcrich (again).",
    ]
    tokenizer = train_tokenizer(documents, max_length=20, style="news")
    dataset = Dataset.from_dict({"document": documents, "summary": documents})
    metrics = SummarizationEvaluator(tokenizer, dataset)(Copier()).metrics
    for name in ("copy_rate", "prefix_overlap", "compression", "rouge1", "rougeL"):
        assert metrics[name] == pytest.approx(100), name
