"""Metrics of texts of one to three words, of scripts other than Latin, and of what is no text or number."""

from __future__ import annotations

import math
import unicodedata

import numpy as np
import pytest
import sacrebleu
import torch
from datasets import Dataset
from rouge_score.rouge_scorer import RougeScorer

from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.metrics import (
    Bleu,
    ContentPreservation,
    Diversity,
    ExactMatch,
    Perplexity,
    Rouge,
    SummaryShape,
    TransferAccuracy,
)

FOREIGN = [
    "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "\u6211 \u7231 \u4f60\u4eec",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0622\u0628",
    "\U0001f600 \U0001f600",
    "\U0001f469\u200d\U0001f467 caf\u00e9",
]
ENGLISH = ["The banks' rates weren't raised, again: 3.5% of U.S. growth!", "rates stay", "no rates", ""]


def test_rouge_of_every_script():
    for text in FOREIGN:
        scores = Rouge().compute(predictions=[text], references=[text])
        assert scores == {kind: pytest.approx(100) for kind in ("rouge1", "rouge2", "rougeL")}, text
        assert Rouge().compute(predictions=[text], references=["bank rates"])["rouge1"] == 0
    half = Rouge().compute(
        predictions=[FOREIGN[0]], references=["\u041f\u0440\u0438\u0432\u0435\u0442, \u0434\u0440\u0443\u0433!"]
    )
    assert half["rouge1"] == pytest.approx(50)


@pytest.mark.parametrize("use_stemmer", [True, False])
def test_rouge_of_english_is_the_package_s(use_stemmer):
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=use_stemmer)
    for text in ENGLISH:
        for other in ENGLISH:
            expected = {kind: 100 * score.fmeasure for kind, score in theirs.score(other, text).items()}
            found = Rouge().compute(predictions=[text], references=[other], use_stemmer=use_stemmer)
            assert found == pytest.approx(expected)
    # Marks beyond ASCII part words, as they do in the package.
    one = Rouge().compute(
        predictions=["the banks\u2019 \u201crates\u201d \u2013 \u00a35"], references=['the banks\' "rates" - $5']
    )
    assert one["rouge2"] == pytest.approx(100)


def bleu(predictions, references):
    return Bleu().compute(predictions=predictions, references=references)["bleu"]


def test_bleu_of_short_texts():
    assert bleu(["bad food"], ["bad food"]) == pytest.approx(100)
    assert bleu(["bad", "so good"], ["bad", "so good"]) == pytest.approx(100)
    # Unigrams 3 of 4, bigrams 1 of 2.
    assert bleu(["bad food", "good food"], ["bad food", "good place"]) == pytest.approx(100 * math.sqrt(3 / 4 * 1 / 2))
    # References decide: a long output among short ones does not bring back 4-grams that nothing can match.
    assert bleu(["bad food", "so so so so"], ["bad food", "so"]) > 10
    assert bleu(["bad food"], ["bad food and worse"]) == pytest.approx(100 * math.exp(1 - 4 / 2))
    assert (
        bleu(["", ""], ["bad", "food"])
        == bleu(["x"], ["bad"])
        == bleu(
            ["a b"],
            [
                "",
            ],
        )
        == 0
    )


def test_bleu_of_usual_texts_is_sacrebleu_s():
    predictions = ["a b c d e", "x y", "", "c a b d c a b d"]
    references = ["a b c e d", "y x", "a", "c a b d c a d b"]
    for count in range(1, 5):
        expected = sacrebleu.corpus_bleu(predictions[:count], [references[:count]], tokenize="none", force=True).score
        assert bleu(predictions[:count], references[:count]) == pytest.approx(expected)


def test_a_best_checkpoint_can_be_chosen_by_short_texts():
    texts = ["bad food", "so rude", "good tea", "so kind"]
    worse, better = ["bad food", "x y", "z", ""], ["bad food", "so rude", "good", "kind"]
    assert 0 < bleu(worse, texts) < bleu(better, texts) < 100


def test_other_metrics_of_short_and_foreign_texts():
    assert Diversity().compute(predictions=["good tea", "good tea", "good tea"])["self_bleu"] == pytest.approx(100)
    varied = Diversity().compute(predictions=["good tea", "bad soup", "no way"])
    assert varied["self_bleu"] == 0 and varied["distinct_1"] == 100
    for text in FOREIGN:
        assert ExactMatch().compute(predictions=[text], references=[text])["exact_match"] == 100
        assert SummaryShape().compute(predictions=[text], references=[text])["copy_rate"] == 100
        content = ContentPreservation()
        assert content.compute(predictions=[text], references=[text])["word_overlap"] == 100
        assert content.compute(predictions=[text], references=["bank rates"])["word_overlap"] == 0
    assert ContentPreservation().compute(predictions=["\U0001f600"], references=["\U0001f622"])["word_overlap"] == 0


# ------------------------------------------------------------------------------------------------- no text, no number


@pytest.fixture(scope="module")
def language_model():
    tokenizer = train_tokenizer(["the food was good ."])
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 4, "vocab_size": len(tokenizer)}
    return RnnLmForCausalLM(RnnLmConfig(**sizes)).eval(), tokenizer


def test_perplexity_of_odd_texts(language_model):
    model, tokenizer = language_model

    def perplexity(text):
        return Perplexity(model, tokenizer).compute(predictions=[text])["perplexity"]

    assert perplexity("the food\u200b was good .") == pytest.approx(perplexity("the food was good ."))
    assert perplexity("\ud83d good") == pytest.approx(perplexity("\ufffd good"))


def test_a_model_that_gives_nan_is_named(language_model):
    model, tokenizer = language_model
    broken = RnnLmForCausalLM(model.config)
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    with pytest.raises(ValueError, match="NaN"):
        Perplexity(broken, tokenizer).compute(predictions=["the food"])


def test_wrong_inputs_are_named():
    for wrong in (math.nan, None, np.array("text")):
        with pytest.raises((TypeError, ValueError), match="predictions"):
            ExactMatch().compute(predictions=[wrong] if not isinstance(wrong, np.ndarray) else wrong, references=["a"])
    blank = Dataset.from_dict({"text": ["", " "], "label": [0, 1]})
    with pytest.raises(ValueError, match="no word"):
        TransferAccuracy().fit(blank, blank)
    with pytest.raises(ValueError, match="two labels"):
        TransferAccuracy().fit(Dataset.from_dict({"text": ["good"], "label": [0]}))


def test_the_tenth_that_is_held_out_takes_no_label_s_last_text():
    texts = [f"good {number}" for number in range(12)]
    for rare in range(13):  # wherever the rare one stands in the draw
        order = [*texts[:rare], "bad", *texts[rare:]]
        train = Dataset.from_dict({"text": order, "label": [int("bad" in text) for text in order]})
        metric = TransferAccuracy().fit(train)
        assert metric.compute(predictions=["good 1"], references=[0])["transfer_accuracy"] == 100


@pytest.mark.parametrize("metric", [Rouge, Bleu, ExactMatch])
def test_characters_that_nobody_sees_do_not_count(metric):
    plain = ["the food was good .", "the food was good ."]
    for texts in (
        ["the fo\u200bod was good .", "\ufeffthe food was good ."],
        ["the food was go\u00adod .", *plain[:1]],
    ):
        for predictions, references in ((texts, plain), (plain, texts)):
            scores = metric().compute(predictions=predictions, references=references)
            assert scores == pytest.approx(dict.fromkeys(scores, 100))


def test_what_metrics_pass_over_is_what_models_do():
    codes = (*range(0xA1, 0x3164), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB)
    letters = [
        chr(code) for code in codes if unicodedata.category(chr(code)) == "Cf" or code in (0x34F, 0x301, 0x2019)
    ]
    texts = [f"fo{letter}od" for letter in letters]
    models = train_tokenizer(["food"]).backend_tokenizer.normalizer
    for text in texts:
        hidden = ExactMatch().compute(predictions=[text], references=["food"])["exact_match"] == 100
        assert hidden == (models.normalize_str(text).split() == ["food"]), ascii(text)
    for text, words in (
        ("a\u200db", "ab"),
        ("\u0e01\u0e32\u200b\u0e01\u0e32", "\u0e01\u0e32 \u0e01\u0e32"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ):
        assert ExactMatch().compute(predictions=[text], references=[words]) == {"exact_match": 100}
        assert models.normalize_str(text).split() == words.split()
