"""The pipeline "text-summarization"."""

import json

import pytest
import torch
from datasets import Dataset
from headline_selectors import untrained_selector
from transformers import T5Config, T5ForConditionalGeneration, pipeline
from transformers.pipelines.pt_utils import KeyDataset

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.hub.export import code_of
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.pipelines.text_summarization import TextSummarizationPipeline, logger

NEWS = [
    "Velmora Corp. said on Monday it would buy 12 mines.",
    "The mayor of Gildenau resigned, officials said.",
    "Dockers strike!",
    "A storm closed two ports in Zorvia on Friday, police said.",
]
LONGEST, LONGEST_SUMMARY = 16, 6


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(NEWS, max_length=LONGEST, style="news")


def make_model(tokenizer, **changes):
    """An untrained model."""
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 6, "conv_size": 6, "copy_gate": True}
    sizes |= {"max_source_length": LONGEST, "max_summary_length": LONGEST_SUMMARY}
    model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), **sizes, **changes)).eval()
    with torch.no_grad():  # sharp, so that summaries depend on their sources
        for parameter in (*model.writer.parameters(), *model.reader.parameters()):
            parameter.mul_(5.0)
    return model


@pytest.fixture(scope="module")
def model(tokenizer):
    """A model that writes. Not to be changed."""
    return make_model(tokenizer)


@pytest.fixture(scope="module")
def folder(model, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-summarizer"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def write(folder):
    return pipeline("text-summarization", model=str(folder))


def every_other_word(ids, mask=None, target_length=None, source_words_only=False, shortest=3, longest=9):
    """In place of a trained selector: the words at odd places, the second as the token 5 where that stands for it."""
    rows, (batch, _) = [], ids.shape
    lengths = (
        torch.full((batch,), min(longest, max(shortest, 3)))
        if target_length is None
        else torch.as_tensor(target_length).expand(batch)
    )
    for row, length in zip(ids, lengths, strict=True):
        words = int((row > 2).sum())
        rows.append(torch.arange(1, words + 1, 2)[: int(length)])
    places = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
    forms = torch.full_like(places, -1)
    if not source_words_only:
        forms[places == 3] = 5
    return places, forms


@pytest.fixture(scope="module")
def select(tokenizer):
    """The pipeline around a model that selects by `every_other_word`."""
    selecting = untrained_selector(len(tokenizer), max_source_length=LONGEST)
    selecting.select_words = every_other_word
    return TextSummarizationPipeline(model=selecting, tokenizer=tokenizer)


@pytest.fixture(params=["write", "select"])
def summarize(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def warnings(caplog):
    """Messages of the pipeline's logger, which says each only once in a process."""
    logger.warning_once.cache_clear()
    with caplog.at_level("WARNING", logger=logger.name):
        yield lambda: [record.message for record in caplog.records if record.name == logger.name]


def written(model, tokenizer, text, **arguments):
    ids = model.summarize(**tokenizer([text], return_tensors="pt"), **arguments)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


# Results


def test_it_writes_what_the_model_summarises(write, model, tokenizer):
    for text in NEWS:
        for arguments in ({}, {"target_length": 2}, {"target_length": 3, "num_beams": 3}, {"max_new_tokens": 3}):
            result = write(text, detokenize=False, **arguments)
            (expected,) = written(model, tokenizer, text, **arguments)
            assert result["summary_text"] == expected
            assert result["summary_words"] == len(expected.split())
            assert result["source_words"] == len(tokenizer(text)["input_ids"]) - 2
    assert len({write(text)["summary_text"] for text in NEWS}) > 1


def test_selecting_chooses_words_of_the_source_and_their_forms(select, tokenizer):
    five = tokenizer.convert_ids_to_tokens(5)
    result = select("Velmora Corp. bought 12 mines", target_length=2, detokenize=False)
    assert result == {"summary_text": f"velmora {five}", "source_words": 5, "summary_words": 2}
    result = select("Velmora Corp. bought 12 mines", target_length=2, detokenize=False, source_words_only=True)
    assert result["summary_text"] == "velmora bought"


def test_a_selector_s_words_are_the_model_s_summary(tokenizer, tmp_path):
    model = untrained_selector(len(tokenizer), max_source_length=LONGEST)
    model.selector.forms[5:12] = torch.arange(12, 19)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    select = pipeline("text-summarization", model=str(tmp_path))
    for arguments in ({}, {"target_length": 3}, {"target_length": 8}):
        (expected,) = zip(*(written(model, tokenizer, text, **arguments) for text in NEWS), strict=True)
        for batch_size in (1, 3):
            results = select(NEWS, batch_size=batch_size, detokenize=False, **arguments)
            for result, text, summary in zip(results, NEWS, expected, strict=True):
                whole = result["source_words"] < arguments.get("target_length", 0)
                assert result["summary_text"] == (" ".join(select._words(text)) if whole else summary)


def test_selecting_keeps_words_outside_the_vocabulary(select):
    result = select("Xyzzy Corp. plugh Zürich 東京 Ωmega", target_length=4, detokenize=False, source_words_only=True)
    assert result["summary_text"] == "xyzzy plugh 東京"
    assert result["source_words"] == 6


def test_lengths(summarize):
    for count in (1, 2, 4):
        assert summarize(NEWS[0], target_length=count)["summary_words"] == count
    # Eleven words: velmora corp. said on monday it would buy ## mines .
    for share, count in ((0.01, 1), (0.1, 1), (0.3, 3), (0.32, 4)):
        result = summarize(NEWS[0], compression=share)
        assert (result["source_words"], result["summary_words"]) == (11, count)
    assert 1 <= summarize(NEWS[0])["summary_words"] <= LONGEST_SUMMARY


def test_a_share_is_cut_to_what_the_model_can_write(write):
    assert write(NEWS[0], compression=1)["summary_words"] == LONGEST_SUMMARY


def test_a_length_of_a_call_replaces_the_default_of_all(model, tokenizer):
    for default in ({"target_length": 2}, {"compression": 0.2}):
        summarize = TextSummarizationPipeline(model=model, tokenizer=tokenizer, **default)
        assert summarize(NEWS[0])["summary_words"] == 2
        assert summarize(NEWS[0], target_length=4)["summary_words"] == 4
        assert summarize(NEWS[0], compression=0.3)["summary_words"] == 3


@pytest.mark.parametrize("target_length", [4, 6])
def test_a_text_shorter_than_its_summary_is_returned_whole(summarize, warnings, target_length):
    result = summarize([NEWS[2], NEWS[2], NEWS[0]], target_length=target_length, batch_size=3)
    assert result[0] == result[1] == {"summary_text": "dockers strike!", "source_words": 3, "summary_words": 3}
    assert result[2]["summary_words"] == target_length
    assert warnings() == ["Texts of fewer words than the asked summary are returned whole"]


def test_one_of_many_may_be_short(write):
    short, long = write([NEWS[2], NEWS[1]], target_length=4, num_beams=2, num_return_sequences=2)
    assert [one["summary_text"] for one in short] == ["dockers strike!"] * 2
    assert [one["summary_words"] for one in long] == [4, 4]


def test_several_summaries_are_a_list(write, model, tokenizer):
    arguments = {"num_beams": 3, "num_return_sequences": 3, "target_length": 3}
    results = write(NEWS[0], detokenize=False, **arguments)
    assert [one["summary_text"] for one in results] == written(model, tokenizer, NEWS[0], **arguments)


def test_no_word_but_the_source_s(write):
    for text in NEWS:
        result = write(text, source_words_only=True, detokenize=False)
        assert set(result["summary_text"].split()) <= set(write._words(text))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("japan 's nec corp. wo n't buy , it says", "japan's nec corp. won't buy, it says"),
        ("# dead , #,### hurt in ## % of u.s. ports", "# dead, #,### hurt in ##% of u.s. ports"),
        ("`` no '' -lrb- again -rrb-", '"no" (again)'),
        ("at&amp;t and 24\\/7", "at&t and 24/7"),
        ("i am . the end .", "i am. the end."),
    ],
)
def test_words_are_joined_and_gigaword_s_case_and_digits_stay(select, words, text):
    assert select._joined(words) == text


def test_text_of_other_tokenizers_gets_capitals():
    other = train_tokenizer(["the food was great .", "never again !"], max_length=9)
    summarize = TextSummarizationPipeline(model=make_model(other), tokenizer=other)
    assert summarize._joined("i was n't in 1987 .") == "I wasn't in 1987."
    assert summarize("The food!", target_length=6)["summary_text"] == "The food!"


# Inputs


@pytest.mark.parametrize(
    "arguments", [{}, {"target_length": 3}, {"compression": 0.4}, {"source_words_only": True, "target_length": 2}]
)
def test_a_batch_gives_what_single_texts_give(summarize, arguments):
    assert summarize(NEWS, batch_size=3, **arguments) == [summarize(text, **arguments) for text in NEWS]


@pytest.mark.parametrize("arguments", [{"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 2}])
def test_a_batch_of_beams_too(write, arguments):
    assert write(NEWS, batch_size=4, **arguments) == [write(text, **arguments) for text in NEWS]


def test_collections_give_lists_and_streams_give_iterators(summarize):
    results = [summarize(text) for text in NEWS]
    for collection in (NEWS, tuple(NEWS), Dataset.from_dict({"text": NEWS})["text"]):
        assert summarize(collection, batch_size=4) == results
    for stream in ((text for text in NEWS), iter(NEWS), KeyDataset(Dataset.from_dict({"text": NEWS}), "text")):
        summaries = summarize(stream, batch_size=3)
        assert not isinstance(summaries, list)
        assert list(summaries) == results


def test_nothing_in_nothing_out(summarize):
    assert summarize([]) == []
    assert list(summarize(text for text in ())) == []


@pytest.mark.parametrize("empty", ["", " \t\n"])
def test_an_empty_text_is_refused(summarize, empty):
    with pytest.raises(ValueError, match="the text is empty"):
        summarize(empty)
    with pytest.raises(ValueError, match="text 1 is empty"):
        summarize([NEWS[0], empty])


def test_a_text_that_the_tokenizer_reads_as_nothing_is_refused(summarize):
    with pytest.raises(ValueError, match=r"text 1 holds no word: '<SRD>'"):
        summarize([NEWS[0], "<SRD>"])


@pytest.mark.parametrize("wrong", [3, None, b"bytes", {"text": "great"}])
def test_what_is_no_string_is_refused(summarize, wrong):
    with pytest.raises(TypeError, match=type(wrong).__name__):
        summarize(wrong)
    with pytest.raises(TypeError, match=f"text 1 must be a string, got {type(wrong).__name__}"):
        summarize([NEWS[0], wrong])


def test_a_longer_text_is_cut_to_its_first_sentence(summarize, warnings):
    assert summarize(f"{NEWS[0]} {NEWS[3]}") == summarize(NEWS[0])
    assert summarize(f"{NEWS[2]}\n\nBy a reporter") == summarize(NEWS[2])
    assert warnings() == ["Texts of several sentences are cut to the first; first_sentence=False keeps them"]
    both = summarize(f"{NEWS[2]} {NEWS[1]}", first_sentence=False)
    assert both["source_words"] == 3 + summarize(NEWS[1])["source_words"]


def test_a_first_sentence_alone_needs_no_warning(summarize, warnings):
    summarize(["  Dockers \n strike! ", "Dockers strike"])
    assert not warnings()


def test_a_long_text_is_refused_or_cut(summarize):
    longest = " ".join(["dockers"] * LONGEST)
    assert summarize(longest)["source_words"] == LONGEST
    with pytest.raises(ValueError, match="the text has 17 words, more than the limit of 16; truncation=True cuts it"):
        summarize(longest + " strike")
    with pytest.raises(ValueError, match="text 1 has 17 words"):
        summarize([longest, longest + " strike"])
    assert summarize(longest + " strike", truncation=True) == summarize(longest)
    assert summarize([longest + " strike", NEWS[0]], truncation=True, batch_size=2)[1] == summarize(NEWS[0])


def test_the_limit_is_the_model_s_where_that_is_the_lower_one(model):
    long = train_tokenizer(NEWS, max_length=40, style="news")
    with pytest.raises(ValueError, match="more than the limit of 16"):
        TextSummarizationPipeline(model=model, tokenizer=long)(" ".join(["dockers"] * 17))


def test_a_text_of_unknown_words_is_summarised_with_a_warning(summarize, warnings):
    result = summarize("xyzzy plugh 東京 россия", target_length=2)
    assert result["summary_words"] == 2
    assert warnings() == [
        "No word of 'xyzzy plugh 東京 россия' is in the vocabulary: it is summarized by their places alone"
    ]


def test_a_literal_special_token_is_text(select):
    result = select("dockers <eos> strike <pad> <unk>", detokenize=False, source_words_only=True)
    assert "<" not in result["summary_text"]


# Arguments and models that do not fit


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target_length": 0}, ValueError, "target_length must be at least 1, got 0"),
        ({"target_length": -3}, ValueError, "target_length must be at least 1, got -3"),
        ({"target_length": 2.0}, TypeError, r"target_length must be a whole number of words, got 2\.0"),
        ({"target_length": True}, TypeError, "target_length must be a whole number of words, got True"),
        ({"target_length": "8"}, TypeError, "target_length must be a whole number of words, got '8'"),
        ({"compression": 0}, ValueError, "compression must be above 0 and at most 1, got 0"),
        ({"compression": 1.1}, ValueError, "compression must be above 0 and at most 1"),
        ({"compression": float("nan")}, ValueError, "compression must be above 0 and at most 1"),
        ({"compression": "half"}, TypeError, "compression must be a number"),
        ({"compression": 0.5, "target_length": 3}, ValueError, "target_length or compression, not both"),
    ],
)
def test_a_wrong_argument_is_an_error(summarize, arguments, error, message):
    for inputs in (NEWS[0], NEWS, []):
        with pytest.raises(error, match=message):
            summarize(inputs, **arguments)
    with pytest.raises(error, match=message):
        TextSummarizationPipeline(model=summarize.model, tokenizer=summarize.tokenizer, **arguments)


@pytest.mark.parametrize(
    ("wrong", "meant"), [("num_beems", "num_beams"), ("target_lenght", "target_length"), ("batchsize", "batch_size")]
)
def test_a_misspelled_argument_is_an_error(summarize, wrong, meant):
    with pytest.raises(TypeError, match=f"'{wrong}': did you mean {meant}"):
        summarize(NEWS[0], **{wrong: 1})
    with pytest.raises(TypeError, match="does not know the argument 'max_len_gth'"):
        summarize(NEWS[0], max_len_gth=1)


def test_only_a_writer_has_a_longest_summary(write, select):
    with pytest.raises(ValueError, match=r"at most 6 \(max_summary_length\), got 7"):
        write(NEWS[0], target_length=7)
    assert select(" ".join(["dockers"] * 16), target_length=7)["summary_words"] == 7


def test_a_selector_follows_limits_and_no_other_generation_parameter(select):
    own = select(NEWS[0])
    assert own["summary_words"] == 3
    assert select(NEWS[0], do_sample=False, num_beams=1, num_return_sequences=1) == own
    for limits, words in (
        ({"max_length": 4, "do_sample": False}, 2),
        ({"max_new_tokens": 2}, 1),
        ({"min_length": 5, "max_length": 50}, 4),
        ({"min_new_tokens": 4}, 4),
    ):
        assert select(NEWS[0], **limits)["summary_words"] == words, limits
        with pytest.raises(ValueError, match="target_length"):
            select(NEWS[0], target_length=2, **limits)
    for wrong in ({"num_beams": 3}, {"do_sample": True}, {"longest_gap": 2}, {"no_repeat_ngram_size": 1}):
        for inputs in (NEWS[0], []):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                select(inputs, **wrong)


def test_a_model_that_summarises_nothing_is_refused(tokenizer):
    other = T5ForConditionalGeneration(T5Config(vocab_size=24, d_model=4, d_kv=2, d_ff=4, num_layers=1, num_heads=2))
    with pytest.raises(ValueError, match=r"needs a summarizer.*T5ForConditionalGeneration"):
        TextSummarizationPipeline(model=other, tokenizer=tokenizer)


def test_a_repository_carries_the_pipeline(folder):
    code = code_of(folder)
    assert json.loads(code["config.json"])["custom_pipelines"] == {
        "ursae-text-summarization": {
            "impl": "text_summarization.TextSummarizationPipeline",
            "pt": ["AutoModelForSeq2SeqLM"],
        }
    }
    assert "text_summarization.py" in code
