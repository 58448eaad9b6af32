"""The pipeline "text-style-transfer"."""

import pytest
import torch
from datasets import Dataset
from transformers import T5Config, T5ForConditionalGeneration, pipeline, set_seed
from transformers.pipelines.pt_utils import KeyDataset

from hf_arae.models.ae.configuration_ae import AeConfig
from hf_arae.models.ae.modeling_ae import AeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.pipelines.auto import register
from hf_arae.pipelines.text_style_transfer import TextStyleTransferPipeline, logger

TEXTS = ["The food was awful!", "Great food.", "I'm coming back, friendly staff.", "Awful service."]
SOURCES = ["negative", "positive", "positive", "negative"]
OTHER = {"negative": "positive", "positive": "negative"}


@pytest.fixture(scope="module")
def rewrite(transfer_folder):
    return pipeline("text-style-transfer", model=str(transfer_folder))


def expected(model, tokenizer, text, target, **arguments):
    inputs = tokenizer([text], return_tensors="pt")
    return tokenizer.decode(model.transfer(**inputs, target=target, **arguments)[0], skip_special_tokens=True)


def variant(model, **changes):
    """An untrained model like this one, with another config."""
    torch.manual_seed(0)
    values = {key: value for key, value in model.config.to_diff_dict().items() if key not in ("label2id", "auto_map")}
    return AraeModel(AraeConfig(**(values | changes))).eval()


# Results


def test_it_writes_what_the_model_transfers(rewrite, transfer_model, tokenizer):
    for target, name in enumerate(OTHER):
        result = rewrite(TEXTS[0], target=name, source=1 - target, detokenize=False)
        assert result["text"] == expected(transfer_model, tokenizer, TEXTS[0], target)
        assert result["target"] == name
    assert rewrite(TEXTS[0], target=0, source=1)["text"] != rewrite(TEXTS[0], target=1)["text"]


def test_source_is_told_by_the_words_and_target_is_the_other_label(rewrite):
    results = rewrite(TEXTS)
    assert [result["source"] for result in results] == SOURCES
    assert [result["target"] for result in results] == [OTHER[source] for source in SOURCES]


@pytest.mark.parametrize("source", ["positive", 1])
def test_a_given_source_overrides_the_words(rewrite, source):
    result = rewrite(TEXTS[0], source=source)
    assert (result["source"], result["target"]) == ("positive", "negative")


def test_a_sentence_that_has_the_target_is_given_back(rewrite, monkeypatch):
    text = "  Awful, AWFUL food.. New York!!  "
    for sure in ({}, {"source": "negative"}, {"keep_source_if_unsure": True}, {"num_beams": 2}):
        result = rewrite(text, target="negative", **sure)
        assert (result["source"], result["target"], result["text"]) == ("negative", "negative", text)
        assert not result["changed"] and result["content_score"] == 1 and "already" in result["note"]
    assert rewrite(text, target="negative", detokenize=False)["text"] == "awful , awful food.. new york !"
    said_otherwise = rewrite(text, target="negative", source="positive")
    assert said_otherwise["changed"] and "note" not in said_otherwise
    several = rewrite([text, TEXTS[1]], target="negative", num_beams=2, num_return_sequences=2, batch_size=2)
    assert [[one["changed"] for one in rows] for rows in several] == [[False] * 2, [True] * 2]
    monkeypatch.setattr(rewrite.model, "transfer", lambda *_, **__: pytest.fail("began to write"))
    assert rewrite([text, TEXTS[0]], target="negative", batch_size=2)[1]["text"] == TEXTS[0]


def test_a_target_given_to_the_constructor_holds_for_all_calls(transfer_folder):
    rewrite = pipeline("text-style-transfer", model=str(transfer_folder), target="positive", num_return_sequences=2)
    assert [result["target"] for result in rewrite("Great food.", do_sample=True)] == ["positive"] * 2
    assert rewrite("Great food.", target="negative", num_return_sequences=1)["target"] == "negative"


def test_text_is_detokenized_by_default(rewrite, monkeypatch, tokenizer):
    ids = tokenizer("the food was n't good .", return_tensors="pt")["input_ids"]
    monkeypatch.setattr(rewrite.model, "transfer", lambda *_, **__: ids)
    assert rewrite("Awful")["text"] == "The food wasn't good."
    assert rewrite("awful")["text"] == "the food wasn't good."  # a source in small letters
    assert rewrite("Awful", detokenize=False)["text"] == "the food was n't good ."


@pytest.mark.parametrize("arguments", [{}, {"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 2}])
def test_a_batch_gives_what_single_sentences_give(rewrite, arguments):
    assert rewrite(TEXTS, batch_size=3, **arguments) == [rewrite(text, **arguments) for text in TEXTS]


def test_several_sequences_are_a_list(rewrite):
    set_seed(0)
    results = rewrite(TEXTS, do_sample=True, temperature=1.5, top_k=10, num_return_sequences=5, batch_size=2)
    assert [len(result) for result in results] == [5] * 4
    assert all(one["source"] == source for result, source in zip(results, SOURCES, strict=True) for one in result)
    assert len({one["text"] for one in results[0]}) > 1


def test_generation_parameters_reach_the_model(rewrite, transfer_model, tokenizer):
    short = rewrite(TEXTS[0], max_new_tokens=2, detokenize=False)["text"]
    assert short == expected(transfer_model, tokenizer, TEXTS[0], 1, max_new_tokens=2)
    # The first word is drawn from the one likeliest, or from few: the draw is greedy.
    greedy = rewrite(TEXTS[0])
    assert rewrite(TEXTS[0], do_sample=True, top_k=1) == greedy
    assert rewrite(TEXTS[0], do_sample=True, top_p=1e-6) == greedy
    assert rewrite(TEXTS[0], do_sample=True, temperature=1e-4) == greedy


# Inputs


def test_collections_give_lists(rewrite):
    results = [rewrite(text) for text in TEXTS]
    for collection in (TEXTS, tuple(TEXTS), dict.fromkeys(TEXTS).keys(), Dataset.from_dict({"text": TEXTS})["text"]):
        assert rewrite(collection, batch_size=4) == results


def test_streams_give_iterators(rewrite):
    results = [rewrite(text) for text in TEXTS]
    for stream in (
        (text for text in TEXTS),
        iter(TEXTS),
        KeyDataset([{"text": text} for text in TEXTS], "text"),
        KeyDataset(Dataset.from_dict({"text": TEXTS}), "text"),
    ):
        written = rewrite(stream, batch_size=3)
        assert not isinstance(written, list)
        assert list(written) == results


def test_a_stream_is_read_as_it_is_consumed(rewrite):
    read = []
    endless = (read.append(1) or "awful food" for _ in iter(int, 1))
    written = rewrite(endless)
    assert next(iter(written))["source"] == "negative"
    assert len(read) < 5


def test_nothing_in_nothing_out(rewrite):
    assert rewrite([]) == []
    assert list(rewrite(text for text in ())) == []
    assert list(rewrite(KeyDataset([], "text"))) == []


@pytest.mark.parametrize("empty", ["", " \t\n"])
def test_an_empty_sentence_is_refused(rewrite, empty):
    with pytest.raises(ValueError, match="the sentence is empty"):
        rewrite(empty)
    with pytest.raises(ValueError, match="sentence 1 is empty"):
        rewrite(["great", empty])
    with pytest.raises(ValueError, match="sentence 1 is empty"):
        list(rewrite(text for text in ["great", empty]))


def test_a_list_is_checked_before_anything_is_written(rewrite, monkeypatch):
    monkeypatch.setattr(rewrite.model, "transfer", lambda *_, **__: pytest.fail("began to write"))
    with pytest.raises(ValueError, match="sentence 3"):
        rewrite([*TEXTS[:3], ""])


@pytest.mark.parametrize("wrong", [3, None, b"bytes", {"text": "great"}])
def test_what_is_no_string_is_refused(rewrite, wrong):
    with pytest.raises(TypeError, match=type(wrong).__name__):
        rewrite(wrong)
    with pytest.raises(TypeError, match=f"sentence 1 must be a string, got {type(wrong).__name__}"):
        rewrite(["great", wrong])


def test_a_long_sentence_is_refused_or_cut(rewrite, caplog):
    longest = " ".join(["great"] * 10)
    rewrite(longest)
    with pytest.raises(ValueError, match="the sentence has 11 words, more than the limit of 10"):
        rewrite(longest + " food")
    with pytest.raises(ValueError, match="sentence 1 has 11 words"):
        rewrite([longest, longest + " food"])
    assert rewrite(longest + " awful", truncation=True) == rewrite(longest)


def test_a_sentence_of_unknown_words_is_rewritten_with_a_warning(rewrite, caplog):
    logger.warning_once.cache_clear()
    with caplog.at_level("WARNING", logger=logger.name):
        result = rewrite(["xyzzy plugh", "xyzzy plugh", "xyzzy food"], target="positive")
    assert result[0]["unknown_words"] == ["xyzzy", "plugh"] and "vocabulary" in result[0]["note"]
    assert result[2]["unknown_words"] == ["xyzzy"] and "note" not in result[2]
    assert result[0]["text"] and result[0] == result[1]
    (record,) = (record for record in caplog.records if record.name == logger.name)
    assert "'xyzzy plugh'" in record.message


# Arguments and models that do not fit


@pytest.mark.parametrize("argument", ["target", "source"])
@pytest.mark.parametrize("label", ["postive", 2, -1, True])
def test_an_unknown_label_names_the_known_ones(rewrite, argument, label):
    with pytest.raises(ValueError, match=rf"{argument} must be one of 'negative' \(0\), 'positive' \(1\)"):
        rewrite(TEXTS[0], **{argument: label})


@pytest.mark.parametrize(
    ("wrong", "meant"), [("num_beems", "num_beams"), ("traget", "target"), ("batchsize", "batch_size")]
)
def test_a_misspelled_argument_is_an_error(rewrite, transfer_folder, wrong, meant):
    for inputs in (TEXTS[0], TEXTS, []):
        with pytest.raises(TypeError, match=f"'{wrong}': did you mean {meant}"):
            rewrite(inputs, **{wrong: 1})
    with pytest.raises(TypeError, match=meant):
        pipeline("text-style-transfer", model=str(transfer_folder), **{wrong: 1})


def test_more_than_two_labels_need_a_target(transfer_model, tokenizer):
    model = variant(transfer_model, num_attributes=3, id2label={0: "sad", 1: "glad", 2: "calm"})
    model.attribute_log_odds[7, 2] = 1.0
    rewrite = TextStyleTransferPipeline(model=model, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="'sad', 'glad', 'calm'"):
        rewrite("great food", source="sad")
    assert rewrite(tokenizer.decode([7]), target="glad") == {
        **rewrite(tokenizer.decode([7]), target=1),
        "target": "glad",
        "source": "calm",
    }


def test_without_log_odds_the_source_is_not_guessed(transfer_model, tokenizer):
    rewrite = TextStyleTransferPipeline(model=variant(transfer_model), tokenizer=tokenizer)
    with pytest.raises(ValueError, match=r"target or source is needed.*'negative', 'positive'"):
        rewrite(TEXTS[0])
    assert rewrite(TEXTS[0], target="positive")["source"] is None
    assert rewrite(TEXTS[0], source="positive")["target"] == "negative"


def test_a_model_without_attributes_is_refused(transfer_model, tokenizer):
    plain = variant(transfer_model, num_attributes=1, id2label=None)
    with pytest.raises(ValueError, match="AraeModel with num_attributes=1"):
        TextStyleTransferPipeline(model=plain, tokenizer=tokenizer)
    other = T5ForConditionalGeneration(T5Config(vocab_size=24, d_model=4, d_kv=2, d_ff=4, num_layers=1, num_heads=2))
    with pytest.raises(ValueError, match="T5ForConditionalGeneration"):
        TextStyleTransferPipeline(model=other, tokenizer=tokenizer)


def test_registering_twice_changes_nothing(transfer_folder):
    register()
    assert type(pipeline("text-style-transfer", model=str(transfer_folder))) is TextStyleTransferPipeline


# Scores, copies, and what the model is not sure of


@pytest.fixture
def writes(rewrite, monkeypatch, tokenizer):
    """Makes the model write given words for every sentence."""

    def write(words):
        ids = tokenizer(words, return_tensors="pt")["input_ids"]
        monkeypatch.setattr(rewrite.model, "transfer", lambda given, *_, **__: ids.repeat(len(given), 1))

    return write


def test_results_carry_the_model_s_scores(rewrite, transfer_model, tokenizer):
    results = rewrite(TEXTS, batch_size=3)
    for text, result in zip(TEXTS, results, strict=True):
        batch, target = tokenizer(text, return_tensors="pt"), transfer_model.config.label2id[result["target"]]
        output = transfer_model.transfer(**batch, target=target)
        scores = transfer_model.transfer_scores(**batch, output_ids=output, target=target)
        for name, score in scores.items():
            assert result[f"{name}_score"] == pytest.approx(score.item(), abs=1e-4)
        assert result["changed"] is True and result["unknown_words"] == (["'m"] if "'m" in text else [])
    several = rewrite(TEXTS[0], num_beams=3, num_return_sequences=3)
    assert all(0 <= one["fluency_score"] <= 1 for one in several)
    assert len({one["fluency_score"] for one in several}) > 1


def test_every_family_with_labels_scores_its_outputs(transfer_model, tokenizer):
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "embedding_size": 4, "hidden_size": 4, "code_size": 4}
    model = AeModel(AeConfig(**sizes, num_attributes=2, id2label=dict(enumerate(OTHER)))).eval()
    model.attribute_log_odds.copy_(transfer_model.attribute_log_odds)
    results = TextStyleTransferPipeline(model=model, tokenizer=tokenizer)(TEXTS, batch_size=2)
    assert [result["source"] for result in results] == SOURCES
    for result in results:
        assert all(0 <= result[f"{name}_score"] <= 1 for name in ("style", "content", "fluency"))


def test_what_is_copied_is_typed_by_the_user(rewrite, writes):
    writes("the food was great !")
    assert rewrite("The FOOD was awful!!")["text"] == "The FOOD was great!!"
    assert rewrite("The FOOD was awful!!", detokenize=False)["text"] == "the food was great !"
    assert rewrite("the food was awful !")["text"] == "the food was great !"
    assert rewrite("THE FOOD WAS AWFUL")["text"] == "THE FOOD WAS GREAT!"
    assert rewrite("The food, @Joe, was awful!")["unknown_words"] == ["@Joe"]


def test_a_copy_changes_nothing(rewrite, writes):
    text = "  The  FOOD was\nawful!! "
    writes(text)
    result = rewrite(text)
    assert result["text"] == text and result["changed"] is False and result["content_score"] == 1


def test_numbers_and_unknown_words_go_where_the_model_writes_them(rewrite, writes):
    writes("xyzzy food was great , xyzzy xyzzy !")  # as it writes <unk>
    result = rewrite("Ann food was awful, @Joe!")
    assert result["text"] == "Ann food was great, @Joe!" and result["unknown_words"] == ["Ann", "@Joe"]
    assert "<unk>" in rewrite("Ann food was awful, @Joe!", detokenize=False)["text"]


def test_the_source_is_kept_where_the_model_is_not_sure(rewrite):
    text = "The FOOD was awful!!"
    sure = rewrite(text)
    least = min(sure[f"{name}_score"] for name in ("style", "content", "fluency"))
    assert rewrite(text, keep_source_if_unsure=0) == rewrite(text, keep_source_if_unsure=False) == sure
    assert rewrite(text, keep_source_if_unsure=least - 1e-3) == sure
    for arguments in ({"keep_source_if_unsure": least + 1e-3}, {"keep_source_if_unsure": 1.0, "batch_size": 2}):
        kept = rewrite([text] * 3, **arguments)[1]
        assert kept["text"] == text and kept["changed"] is False and kept["content_score"] == 1
        assert f"{sure['fluency_score']:.2f}" in kept["note"]
    assert rewrite(text, keep_source_if_unsure=True)["changed"] is (least >= 0.5)
    assert rewrite(text, keep_source_if_unsure=1.0, detokenize=False)["text"] == "the food was awful !"
    several = rewrite(text, num_beams=3, num_return_sequences=3, keep_source_if_unsure=least + 1e-3)
    assert len(several) == 3 and text in [one["text"] for one in several]


@pytest.mark.parametrize("wrong", [1.5, -0.1, "yes", float("nan")])
def test_thresholds_out_of_range_are_refused(rewrite, wrong):
    for name in ("keep_source_if_unsure", "min_confidence"):
        with pytest.raises(ValueError, match=name):
            rewrite(TEXTS[0], **{name: wrong})


def test_a_guess_below_the_confidence_asks_for_the_source(rewrite):
    confident = rewrite(TEXTS[0], min_confidence=0.5)
    for given in ({"min_confidence": 1.0}, {"min_confidence": 0.999}):
        with pytest.raises(ValueError, match="source="):
            rewrite(TEXTS[0], **given)
        skipped = rewrite([TEXTS[0]], on_error="skip", **given)[0]
        assert skipped["text"] is None and "source=" in skipped["note"]
        assert rewrite(TEXTS[0], source="negative", **given) == confident
        asked = rewrite(TEXTS[0], target="positive", **given)
        assert asked["source"] is None and asked["text"] == confident["text"]
    for untold in ("Xyzzy plugh", "Der Hund ist braun", "xyzzy"):
        with pytest.raises(ValueError, match="sentence 1 does not say"):
            rewrite([TEXTS[0], untold])
        assert rewrite(untold, min_confidence=0)["source"] == "negative"


def test_a_sentence_of_60_words(rewrite, writes):
    text = "The FOOD was awful, " + "food " * 55 + "!"
    with pytest.raises(ValueError, match="the sentence has 61 words"):
        rewrite(text)
    assert "61 words" in rewrite([text], on_error="skip")[0]["note"]
    writes("the food was great , food food food food food")
    assert rewrite(text, truncation=True)["text"] == "The FOOD was great, food food food food food"
    kept = rewrite(text, truncation=True, target="negative")
    assert kept["text"] == text and kept["changed"] is False  # whole


def test_digits_and_marks_alone_are_given_back(rewrite):
    for text in ("12345", "10/10 !!", "...", "\U0001f600"):
        with pytest.raises(ValueError, match="source="):
            rewrite(text)
        for known in ({"target": "positive"}, {"source": "negative"}):
            result = rewrite(text, **known)
            assert result["text"] == text and not result["changed"] and "no word" in result["note"]


def test_candidates_need_a_model_that_chooses(rewrite, transfer_folder, monkeypatch):
    for name, value in (("num_candidates", 4), ("weights", {"style": 1.0})):
        with pytest.raises(ValueError, match=f"{name} is for models that choose.*AraeModel"):
            rewrite(TEXTS[0], **{name: value})
        with pytest.raises(ValueError, match=name):
            pipeline("text-style-transfer", model=str(transfer_folder), **{name: value})
    transfer, asked = rewrite.model.transfer, []

    def choosing(input_ids, attention_mask=None, target=None, num_candidates=1, **arguments):
        asked.append(num_candidates)
        return transfer(input_ids, attention_mask, target, **arguments)

    monkeypatch.setattr(rewrite.model, "transfer", choosing)
    assert rewrite(TEXTS[0], num_candidates=7) == rewrite(TEXTS[0])
    assert asked == [7, 1]
    with pytest.raises(TypeError, match="input_ids"):
        rewrite(TEXTS[0], input_ids=3)
