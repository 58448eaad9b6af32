"""The other way to a summary: searching the source for its most headline-like words."""

from __future__ import annotations

import pytest
import torch
from testing_mixins import TextFamilyTests, made_up_sentences
from transformers import AutoModelForSeq2SeqLM

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.evaluation.search_tuning import tune_search
from hf_arae.models.headline_selector.layers import WEIGHTED
from hf_arae.models.ursae.building import add_selector
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.objective_selection import SelectionObjective

PAD, BOS, EOS, UNK, COMMA = 0, 1, 2, 3, 5
SIZES = {"vocab_size": 30, "embedding_size": 6, "hidden_size": 8, "reader_size": 5, "conv_size": 10}
SIZES |= {"max_source_length": 30, "encoder_layers": 1, "decoder_layers": 1}
IDS = torch.tensor([[BOS, 9, COMMA, 8, 7, 20, 21, EOS], [BOS, 6, 11, EOS, PAD, PAD, PAD, PAD]])


def make_model(seed: int = 0) -> UrsaeForConditionalGeneration:
    torch.manual_seed(seed)
    model = UrsaeForConditionalGeneration(UrsaeConfig(**SIZES))
    selectable = torch.ones(30, dtype=torch.bool)
    selectable[[PAD, BOS, EOS, COMMA]] = False
    forms = torch.arange(30)
    forms[20] = 22
    phrases = torch.tensor([[11, 12, 13]])
    add_selector(model, torch.randn(30, 10), selectable, forms, phrases, selector_size=6, selector_members=2)
    return model.eval()


class TestSelection(TextFamilyTests):
    def build_model(self):
        model = make_model()
        self.never_moved = frozenset(name for name, _ in model.named_parameters() if "selector" not in name)
        return model

    def build_objective(self, model):
        return SelectionObjective(model)

    def data(self, rows: int = 64) -> TokenArrays:
        data = made_up_sentences(rows, attributes=1)
        return TokenArrays(
            data.add_column("labels", [[int(word % 2) for word in ids] for ids in data["input_ids"]]), 0
        )


def test_a_search_picks_the_best_words_in_the_source_s_order():
    model = make_model()
    words, mask = IDS[:, 1:], (IDS[:, 1:] != PAD) & (IDS[:, 1:] != EOS)
    scores = model.selector(words, mask)
    places, _ = model.select_words(IDS, target_length=3)
    assert places[0].tolist() == sorted((scores[0].topk(3).indices + 1).tolist())
    assert 2 not in places[0]  # the comma
    assert places[1].tolist() == [1, 2, -1]  # it has no more words


def test_a_summary_is_framed_and_writes_the_present():
    summary = make_model().summarize(IDS, target_length=5)
    assert summary.tolist() == [[BOS, 9, 8, 7, 22, 21, EOS], [BOS, 6, 11, EOS, PAD, PAD, PAD]]


def test_padding_and_company_change_nothing():
    model = make_model()
    alone, _ = model.select_words(IDS[1:, :4], target_length=2)
    together, _ = model.select_words(torch.nn.functional.pad(IDS, (0, 3)), target_length=2)
    assert alone[0].tolist() == together[1].tolist()


def test_lengths_can_differ_by_row_and_be_left_to_the_threshold():
    model = make_model()
    places, _ = model.select_words(IDS, target_length=torch.tensor([4, 1]))
    assert (places >= 0).sum(1).tolist() == [4, 1]
    model.config.search_shortest, model.config.search_longest = 2, 4
    for threshold, length in ((-100.0, 4), (100.0, 2)):
        model.selector.threshold.fill_(threshold)
        assert (model.select_words(IDS)[0][0] >= 0).sum() == length


def test_a_source_of_marks_alone_is_returned():
    ids = torch.tensor([[BOS, COMMA, COMMA, EOS]])
    assert make_model().select_words(ids, target_length=1)[0].tolist() == [[1, 2]]


def test_a_word_that_was_said_weighs_less_by_its_weight():
    model = make_model()
    ids = torch.tensor([[9, 8, 9, 7]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    before = model.selector(ids, mask)
    model.selector.weights[WEIGHTED.index("repetition")] = -3.0
    assert torch.allclose(model.selector(ids, mask) - before, torch.tensor([[0.0, 0.0, -3.0, 0.0]]), atol=1e-5)


def test_two_words_of_a_phrase_are_written_as_one():
    model = make_model()
    ids = torch.tensor([[BOS, 11, 12, 12, 11, EOS], [BOS, 12, 11, 12, 8, EOS]])
    places, forms = model.select_words(ids, target_length=4)
    assert places.tolist() == [[1, 3, 4], [1, 2, 4]] and forms.tolist() == [[13, -1, -1], [-1, 13, -1]]
    assert model.summarize(ids, target_length=4)[:, 1:-1].tolist() == [[13, 12, 11], [12, 13, 8]]
    ids_only = model.summarize(ids, target_length=4, source_words_only=True)
    assert ids_only[:, 1:-1].tolist() == ids[:, 1:-1].tolist()


def test_tuning_finds_the_signal_that_headlines_follow(tokenizer):
    torch.manual_seed(0)
    model = UrsaeForConditionalGeneration(UrsaeConfig(**(SIZES | {"vocab_size": len(tokenizer)})))
    model.config.search_shortest, model.config.search_longest = 2, 4
    words = [token for token in tokenizer.get_vocab() if token.isalpha()][:12]
    signals = torch.zeros(len(tokenizer), 10)
    signals[tokenizer.convert_tokens_to_ids(words[:3]), WEIGHTED.index("ratio")] = 1.0
    everything = torch.ones(len(tokenizer), dtype=torch.bool)
    add_selector(model, signals, everything, torch.arange(len(tokenizer)), None, 4, 1)
    documents = [" ".join(words[start:] + words[:start]) for start in range(12)]
    summaries = [" ".join(word for word in text.split() if word in words[:3]) for text in documents]
    tuned = tune_search(model, tokenizer, documents, summaries, target_length=3, most_words=3.5)
    assert tuned["rouge_l"] > 80 and tuned["ratio"] > 0.3
    assert tuned["mean_length"] <= 3.5


def test_saved_and_loaded_searches_alike(tmp_path):
    model = make_model()
    model.selector.threshold.fill_(0.25)
    model.half().save_pretrained(tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert loaded.selector.threshold == 0.25 and loaded.selector.weights.dtype == torch.float32
    places, forms = loaded.select_words(IDS, target_length=4)
    expected, expected_forms = make_model().select_words(IDS, target_length=4)
    assert torch.equal(places, expected) and torch.equal(forms, expected_forms)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.summarize(IDS, target_length=0), "target_length must be at least 1"),
        (lambda m: m.summarize(IDS, target_length=1.5), "whole number"),
        (lambda m: m.summarize(IDS, target_length=torch.tensor([1, 2, 3])), "one a source"),
        (lambda m: m.summarize(IDS, num_beams=2), "num_beams"),
        (lambda m: m.summarize(IDS, strategy="find"), '"search" or "write"'),
        (lambda m: m.summarize(torch.tensor([[BOS, EOS]])), "nothing to summarize"),
        (lambda m: UrsaeForConditionalGeneration(UrsaeConfig(**SIZES)).select_words(IDS), "no selector"),
        (lambda m: SelectionObjective(UrsaeForConditionalGeneration(UrsaeConfig(**SIZES))), "no selector"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_model())
