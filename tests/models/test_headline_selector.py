"""The headline selector: it keeps the best words of a sentence, in the sentence's order."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextFamilyTests, made_up_sentences
from transformers import AutoModelForTokenClassification, pipeline

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.layers import WEIGHTED
from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification
from hf_arae.models.headline_selector.objective_headline_selector import HeadlineSelectorObjective
from hf_arae.models.headline_selector.tuning import tune_selection

PAD, BOS, EOS, UNK, COMMA = 0, 1, 2, 3, 5
SIZES = {"vocab_size": 30, "signal_size": 10, "hidden_size": 6, "num_members": 2, "max_source_length": 30}
IDS = torch.tensor([[BOS, 9, COMMA, 8, 7, 20, 21, EOS], [BOS, 6, 11, EOS, PAD, PAD, PAD, PAD]])


def make_model(seed: int = 0) -> HeadlineSelectorForTokenClassification:
    torch.manual_seed(seed)
    model = HeadlineSelectorForTokenClassification(HeadlineSelectorConfig(**SIZES))
    selectable = torch.ones(30, dtype=torch.bool)
    selectable[[PAD, BOS, EOS, COMMA]] = False
    forms = torch.arange(30)
    forms[20] = 22
    model.selector.set_words(torch.randn(30, 10), selectable, forms, torch.tensor([[11, 12, 13]]))
    return model.eval()


class TestHeadlineSelectorFamily(TextFamilyTests):
    def build_model(self):
        return make_model()

    def build_objective(self, model):
        return HeadlineSelectorObjective(model)

    def data(self, rows: int = 64) -> TokenArrays:
        data = made_up_sentences(rows, attributes=1)
        labels = [[int(word % 2) for word in ids] for ids in data["input_ids"]]
        return TokenArrays(data.add_column("labels", labels), 0)


def test_the_best_words_are_kept_in_the_source_s_order():
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
    model.config.shortest_headline, model.config.longest_headline = 2, 4
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


def test_limits_of_a_call_go_before_the_model_s_own():
    model = make_model()
    limits = ({"longest": 2}, {"shortest": 4}, {"shortest": 3, "longest": 4})
    for threshold, lengths in ((-100.0, (2, 5, 4)), (100.0, (2, 4, 3))):
        model.selector.threshold.fill_(threshold)
        for given, length in zip(limits, lengths, strict=True):
            assert int((model.select_words(IDS, **given)[0][0] >= 0).sum()) == length, (threshold, given)


def test_logits_say_which_words_are_above_the_threshold():
    model = make_model()
    model.selector.threshold.fill_(0.1)
    model.config.shortest_headline, model.config.longest_headline = 1, 30
    places, _ = model.select_words(IDS)
    kept = model(IDS).logits.argmax(-1)
    assert kept.shape == IDS.shape
    for row, chosen in zip(kept, places, strict=True):
        above = row.nonzero().flatten().tolist()
        assert above == chosen[chosen >= 0].tolist() or not above  # a word is kept in any case


def test_the_loss_is_of_the_words_that_a_headline_may_have():
    model = make_model()
    labels = torch.ones_like(IDS)
    loss = model(IDS, labels=labels).loss
    assert loss.item() == pytest.approx(model.selection_loss(IDS, None, labels)[0].item() / 7)
    labels[0, 2] = labels[:, 0] = 0  # the comma and <bos> do not count
    labels[IDS == PAD] = -100
    assert model(IDS, labels=labels).loss == loss
    labels[1] = -100
    _, count = model.selection_loss(IDS, None, labels)
    assert count == 5


def test_tuning_finds_the_signal_that_headlines_follow(tokenizer):
    words = [token for token in tokenizer.get_vocab() if token.isalpha()][:12]
    signals = torch.zeros(len(tokenizer), 10)
    signals[tokenizer.convert_tokens_to_ids(words[:3]), WEIGHTED.index("ratio")] = 1.0
    everything = torch.ones(len(tokenizer), dtype=torch.bool)
    sizes = {"hidden_size": 4, "num_members": 1, "shortest_headline": 2, "longest_headline": 4}
    torch.manual_seed(0)
    config = HeadlineSelectorConfig.from_tokenizer(tokenizer, signal_size=10, **sizes)
    model = HeadlineSelectorForTokenClassification(config)
    model.selector.set_words(signals, everything, torch.arange(len(tokenizer)))
    documents = [" ".join(words[start:] + words[:start]) for start in range(12)]
    summaries = [" ".join(word for word in text.split() if word in words[:3]) for text in documents]
    tuned = tune_selection(model, tokenizer, documents, summaries, target_length=3, max_words=3.5)
    assert tuned["rouge_l"] > 80 and tuned["ratio"] > 0.3
    assert tuned["mean_length"] <= 3.5


def test_saved_and_loaded_selects_alike(tmp_path):
    model = make_model()
    model.selector.threshold.fill_(0.25)
    model.half().save_pretrained(tmp_path)
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert loaded.selector.threshold == 0.25 and loaded.selector.weights.dtype == torch.float32
    places, forms = loaded.select_words(IDS, target_length=4)
    expected, expected_forms = make_model().select_words(IDS, target_length=4)
    assert torch.equal(places, expected) and torch.equal(forms, expected_forms)


def test_each_word_has_a_label_in_transformers_own_pipeline(tmp_path):
    words = ["police", "closed", "two", "ports", ","]
    tokenizer = train_tokenizer([" ".join(words)], max_length=20, style="news")
    selectable = torch.ones(len(tokenizer), dtype=torch.bool)
    selectable[tokenizer.convert_tokens_to_ids(",")] = False
    model = HeadlineSelectorForTokenClassification(HeadlineSelectorConfig.from_tokenizer(tokenizer, signal_size=8))
    model.eval().selector.set_words(torch.zeros(len(tokenizer), 8), selectable, torch.arange(len(tokenizer)))
    model.selector.threshold.fill_(-100.0)
    found = pipeline("token-classification", model=model, tokenizer=tokenizer, ignore_labels=[])(" ".join(words))
    labels = {row["word"]: row["entity"] for row in found}
    assert labels == dict.fromkeys(words, "kept") | {",": "left out"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.summarize(IDS, target_length=0), "target_length"),
        (lambda m: m.summarize(IDS, target_length=1.5), "target_length"),
        (lambda m: m.summarize(IDS, target_length=torch.tensor([1, 2, 3])), "target_length"),
        (lambda m: m.select_words(IDS, longest=0), "longest"),
        (lambda m: m.select_words(IDS, shortest=4, longest=3), "shortest"),
        (lambda m: m.summarize(torch.tensor([[BOS, EOS]])), "row"),
        (lambda m: m.resize_token_embeddings(31), "vocabulary"),
    ],
)
def test_wrong_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_model())


@pytest.mark.parametrize(
    "wrong",
    [{"num_members": 0}, {"hidden_size": -1}, {"dropout": 1.0}, {"longest_headline": 3}, {"eos_token_id": None}],
)
def test_sizes_out_of_range_are_refused(wrong):
    with pytest.raises(StrictDataclassClassValidationError, match=next(iter(wrong))):
        HeadlineSelectorConfig(**wrong)
