"""The evaluator of unlabelled sentences: for models that draw codes, that do not, and that have none."""

from __future__ import annotations

import math

import pytest
import torch
from presets import text_model, text_objective

from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.text.encoding import read_dataset
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.latent_codes import CodeGaussian
from hf_arae.evaluation.latent_neighbours import find_neighbours
from hf_arae.evaluation.rewriting import encode_texts, rewrite_texts
from hf_arae.evaluation.text_generation import TextGenerationEvaluator, new_sentences, without_unknown_words
from hf_arae.metrics import Bleu

CODES = {"code_norm", "code_variance", "reconstruction_nll", "reconstruction_bleu", "exact_match"}
DRAWN = {"drawn_norm", "drawn_variance"}
COSINES = {"neighbour_cosine", "random_cosine"}
SAMPLES = {f"sample_{name}" for name in ("distinct_1", "distinct_2", "self_bleu", "distinct_sentences", "length")}


@pytest.fixture(scope="module")
def corpus():
    data = load_labelled_text(DataArguments(max_train_samples=300, max_eval_samples=60), label_required=False)
    tokenizer = train_tokenizer(data["train"]["text"], max_length=14)
    texts = {split: list(read_dataset(data[split], tokenizer, split)["text"]) for split in ("train", "validation")}
    return tokenizer, texts["train"], texts["validation"]


def build(family: str, tokenizer):
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 12} | ({} if family == "rnn_lm" else {"code_size": 10})
    return text_model(f"{family}-sentences", tokenizer, **sizes).eval()


@pytest.mark.parametrize("family", ["ae", "arae", "vae", "aae", "daae", "rnn_lm"])
def test_every_family_is_built_evaluated_and_has_an_objective(corpus, family):
    tokenizer, train, held_out = corpus
    model, draws_codes = build(family, tokenizer), family != "ae"
    neighbours = find_neighbours(train, tokenizer, 10, 5) if family != "rnn_lm" else None
    fitted = None if draws_codes else train
    evaluator = TextGenerationEvaluator(tokenizer, held_out, fitted, neighbours, num_samples=20, num_printed=2)
    evaluation = evaluator(model)
    own = {"perplexity"} if family == "rnn_lm" else CODES | COSINES | (DRAWN if draws_codes else set())
    assert evaluation.metrics.keys() == SAMPLES | own == set(evaluator.metric_names(model))
    assert sum(line.startswith("[sample] ") for line in evaluation.samples) == 2
    assert sum("->" in line for line in evaluation.samples) == (0 if family == "rnn_lm" else 2)
    assert evaluation.metrics == evaluator(model).metrics
    assert text_objective(f"{family}-sentences", model).phases()


def test_numbers_are_those_of_the_outputs(corpus):
    tokenizer, _, held_out = corpus
    model = build("ae", tokenizer)
    metrics = TextGenerationEvaluator(tokenizer, held_out, held_out, num_samples=5)(model).metrics
    copies = rewrite_texts(model, tokenizer, held_out)
    assert metrics["reconstruction_bleu"] == Bleu().compute(predictions=copies, references=held_out)["bleu"]
    assert metrics["code_norm"] == pytest.approx(1, abs=1e-5)


def test_perplexity_is_that_of_the_held_out_texts(corpus):
    tokenizer, _, held_out = corpus
    model = build("rnn_lm", tokenizer)
    texts = held_out[:20]
    found = TextGenerationEvaluator(tokenizer, texts, num_samples=5)(model).metrics["perplexity"]
    total = count = 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=ids[:, :-1]).logits[0]
        total += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        count += ids.shape[1] - 1
    assert found == pytest.approx(math.exp(total / count), rel=1e-4)


def test_new_sentences_come_from_the_gaussian_that_is_given(corpus):
    tokenizer, train, _ = corpus
    model = build("arae", tokenizer)
    gaussian = CodeGaussian.fit(encode_texts(model, tokenizer, train))
    written = new_sentences(model, tokenizer, 7, gaussian, seed=2)
    ids = model.decode(gaussian.draw(7, 2))
    assert written == tokenizer.batch_decode(ids, skip_special_tokens=True)
    own = new_sentences(model, tokenizer, 7, seed=2)
    ids = model.sample(7, seed=2)
    assert own == tokenizer.batch_decode(ids, skip_special_tokens=True)


def test_reverse_perplexity_is_measured_if_asked_for(corpus):
    tokenizer, _, held_out = corpus
    model = build("rnn_lm", tokenizer)
    evaluator = TextGenerationEvaluator(tokenizer, held_out, num_samples=5, reverse_perplexity_samples=40)
    assert evaluator(model).metrics["reverse_perplexity"] > 1
    assert "reverse_perplexity" in evaluator.metric_names(model)


def test_texts_with_unknown_words_are_left_out(tokenizer):
    assert without_unknown_words(["great food .", "purple food ."], tokenizer) == ["great food ."]
    assert without_unknown_words(["purple"], tokenizer) == ["purple"]  # nothing else is there to measure


def test_one_held_out_text_is_measured_without_variances(tokenizer):
    model = build("arae", tokenizer)
    evaluator = TextGenerationEvaluator(tokenizer, ["great food ."], num_samples=5)
    metrics = evaluator(model).metrics
    assert set(metrics) == set(evaluator.metric_names(model)) and "code_variance" not in metrics


def test_one_sample_is_not_diverse(tokenizer):
    with pytest.raises(ValueError, match="at least 2"):
        TextGenerationEvaluator(tokenizer, ["great !"], num_samples=1)
