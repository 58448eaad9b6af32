"""The evaluation of summarizers: summaries stay with their documents, and the numbers are those of the summaries."""

from __future__ import annotations

import json

import pytest
import torch
from datasets import Dataset

from hf_arae.data.corpora.news import build_news
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.summarization import (
    SummarizationEvaluator,
    code_lengths,
    lead_bytes,
    lead_words,
    samples_over_training,
    summarize_texts,
    summary_scores,
)
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.curves import plot_reader_curves
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.training.results import Evaluation

SIZES = {"embedding_size": 8, "hidden_size": 8, "reader_size": 8, "conv_size": 8, "max_summary_length": 6}
SIZES |= {"share_embeddings": True, "reader_kernel": 3, "copy_gate": True}


@pytest.fixture(scope="module")
def news() -> Dataset:
    return build_news()["test"].select(range(7))


@pytest.fixture(scope="module")
def tokenizer(news):
    return train_tokenizer(news["document"][:], max_length=30, style="news")


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    model = UrsaeForConditionalGeneration(UrsaeConfig.from_tokenizer(tokenizer, **SIZES)).eval()
    with torch.no_grad():
        for parameter in (*model.writer.parameters(), *model.reader.parameters()):
            parameter.mul_(4.0)
    return model


@pytest.mark.parametrize("arguments", [{}, {"target_length": 4}, {"target_length": 5, "source_order": True}])
def test_summaries_stay_with_their_documents_whatever_the_batches(model, tokenizer, news, arguments):
    texts = news["document"][:]
    whole = summarize_texts(model, tokenizer, texts, **arguments)
    assert whole == summarize_texts(model, tokenizer, texts, batch_size=2, **arguments)
    assert whole == [summarize_texts(model, tokenizer, [text], **arguments)[0] for text in texts]
    for text, summary in zip(texts, whole, strict=True):
        assert len(summary.split()) == arguments.get("target_length", len(summary.split()))
        if "source_order" in arguments:
            rest = iter(text.split())
            assert all(word in rest for word in summary.split())


def test_code_lengths_are_means_over_all_tokens(model, tokenizer, news):
    documents, summaries = news["document"][:4], [*news["summary"][:3], ""]
    found = code_lengths(model, tokenizer, documents, summaries)
    assert found == pytest.approx(code_lengths(model, tokenizer, documents, summaries, batch_size=1))
    totals = torch.zeros(4)
    for document, summary in zip(documents, summaries, strict=True):
        source = tokenizer(document, return_tensors="pt", truncation=True)["input_ids"]
        written = tokenizer(summary, return_tensors="pt", truncation=True, max_length=8)["input_ids"]
        losses, counts = model.reconstruct_loss(written, source)
        surprisal = -model.language_model_score(written)
        totals += torch.stack([losses[0], counts[0], surprisal[0], torch.tensor(written.shape[1] - 1)])
    assert found["reconstruction"] == pytest.approx((totals[0] / totals[1]).item(), rel=1e-4)
    assert found["language_model"] == pytest.approx((totals[2] / totals[3]).item(), rel=1e-4)


def test_the_baselines_are_the_documents_beginnings():
    assert lead_words(["a b c d", "e"], 2) == ["a b", "e"]
    assert lead_bytes(["abc déf", "x"], 6) == ["abc d", "x"], "no half of a letter"


def test_the_evaluator_gives_numbers_and_samples(model, tokenizer, news):
    evaluator = SummarizationEvaluator(tokenizer, news, num_printed=3, target_length=5, source_words_only=True)
    evaluation, summaries = evaluator.evaluate(model)
    documents, references = news["document"][:], news["summary"][:]
    assert evaluation.metrics["mean_length"] == 5 and evaluation.metrics["copy_rate"] == 100
    expected = summary_scores(documents, summaries, references) | code_lengths(model, tokenizer, documents, summaries)
    assert evaluation.metrics == pytest.approx(expected) and "rougeL" in expected
    assert set(evaluator.metric_names(model)) == set(expected)
    assert evaluation.samples == [f"{documents[row]}  ->  {summaries[row]}" for row in (0, 2, 4)]
    evaluator = SummarizationEvaluator(tokenizer, news.remove_columns("summary"), target_length=5)
    without = evaluator(model)
    assert set(evaluator.metric_names(model)) == set(without.metrics)
    assert "rougeL" not in without.metrics and "reconstruction" in without.metrics


@pytest.fixture
def log(tmp_path):
    lines = [
        {"step": 5, "reader/reward": -9.0, "reader/copy_rate": 0.5, "reconstructor/loss": 4.0},
        {"step": 10, "eval/mean_length": 3.0, "samples": ["a b c  ->  b", "d e  ->  d"]},
        {"step": 20, "eval/mean_length": 2.0, "samples": ["a b c  ->  c", "d e  ->  e"]},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path / "log.jsonl"


def test_samples_are_told_by_document(log):
    text = samples_over_training(log, Evaluation({}, ["a b c  ->  a a", "d e  ->  d d"]))
    table = "\n\n| updates | summary |\n| --: | --- |\n"
    first = "a b c" + table + "| 0 | a a |\n| 10 | b |\n| 20 | c |\n\n"
    assert text == first + "d e" + table + "| 0 | d d |\n| 10 | d |\n| 20 | e |\n"
    assert "| 0 |" not in samples_over_training(log)


def test_curves_are_drawn(log, tmp_path):
    pytest.importorskip("matplotlib")
    assert plot_reader_curves(log, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
