"""Exported models in the style-transfer pipeline: what torch's gives, and what is refused."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from transformers import AutoModel, AutoTokenizer, pipeline

from hf_arae import VaeConfig, VaeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder, export_onnx

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra onnx is not installed")

CARDS = Path(__file__).parents[2] / "model_cards"
TEXTS = ["The food was awful!", "Great food.", "I'm coming back, friendly staff.", "Awful service.", "great"]
REVIEWS = [
    "The food was AWFUL!",
    "the staff was rude and the place was dirty .",
    "i love this place !",
    "worst service ever , never coming back .",
    "my soup was cold and they did n't care .",
    "best pizza in town , great prices too !",
    "we waited for an hour and nobody came .",
    "highly recommended .",
]


@pytest.fixture(scope="module")
def rewrite(model):
    return OnnxStyleTransfer(model)


@pytest.fixture(scope="module")
def yelp(tmp_path_factory):
    """The staged checkpoint arae-yelp: its folder, and the exported one."""
    source, folder = str(CARDS / "arae-yelp"), tmp_path_factory.mktemp("yelp")
    export_onnx(AutoModel.from_pretrained(source), folder, AutoTokenizer.from_pretrained(source))
    return source, folder


def without_scores(pipe):
    """A pipeline whose results are those of the exported model, which scores nothing."""

    def rewrite(texts, **arguments):
        results = pipe(texts, **arguments)
        bare = [
            {name: value for name, value in result.items() if not name.endswith("_score")}
            for result in (results if isinstance(results, list) else [results])
        ]
        return bare if isinstance(results, list) else bare[0]

    return rewrite


def test_the_pipeline_gives_what_torch_s_gives(rewrite, transfer_folder):
    torch_rewrite = without_scores(pipeline("text-style-transfer", model=str(transfer_folder)))
    calls = (
        {},
        {"target": "positive"},
        {"target": 0, "source": 1},
        {"target": 1, "min_confidence": 1},
        {"source": 1},
        {"detokenize": False, "max_new_tokens": 4},
        {"target": 0},
    )
    for arguments in calls:
        assert rewrite(TEXTS, **arguments) == torch_rewrite(TEXTS, **arguments)
        assert rewrite(TEXTS[0], **arguments) == torch_rewrite(TEXTS[0], **arguments)
    assert rewrite([]) == []
    odd = ["12345", "Xyzzy, 10 GREAT fo\u00adod!!", "xyzzy \ud83d", " the food was lovely ."]
    assert rewrite(odd, target=0) == torch_rewrite(odd, target=0)
    for pipe in (rewrite, torch_rewrite):
        with pytest.raises(ValueError, match="sentence 1 does not say which label it has"):
            pipe(["great", "xyzzy"])
    long = " ".join(["great"] * 11)
    assert rewrite(long, truncation=True) == torch_rewrite(long, truncation=True)


def test_the_pipeline_gives_what_torch_s_gives_on_reviews(yelp):
    source, folder = yelp
    rewrite = OnnxStyleTransfer(OnnxTextAutoencoder.from_pretrained(folder, num_threads=1))
    torch_rewrite = without_scores(pipeline("text-style-transfer", model=source))
    found = rewrite(REVIEWS)
    assert found == torch_rewrite(REVIEWS, batch_size=4)
    assert [one["source"] for one in found] == ["negative", "negative", "positive"] + ["negative"] * 2 + [
        "positive",
        "negative",
        "positive",
    ]
    assert rewrite(REVIEWS, target="negative", detokenize=False) == torch_rewrite(
        REVIEWS, target="negative", detokenize=False, batch_size=4
    )


def test_streams_are_read_as_they_are_consumed(rewrite):
    read = []
    endless = (read.append(1) or "awful food" for _ in iter(int, 1))
    written = rewrite(endless)
    assert next(written)["source"] == "negative" and len(read) <= rewrite.model.batch_size
    assert list(rewrite(iter(TEXTS))) == rewrite(TEXTS)
    drawn = {"do_sample": True, "seed": 4}
    assert list(rewrite(iter(TEXTS), **drawn)) == rewrite(TEXTS, **drawn) != rewrite(TEXTS, do_sample=True, seed=5)
    with pytest.raises(ValueError, match="sentence 3 is empty"):
        list(rewrite(text for text in [*TEXTS[:3], " "]))


def test_defaults_of_all_calls(model):
    rewrite = OnnxStyleTransfer(model, target="positive", detokenize=False)
    assert rewrite(TEXTS[0]) == OnnxStyleTransfer(model)(TEXTS[0], target=1, detokenize=False)
    assert rewrite(TEXTS[0], target="negative")["target"] == "negative"


def test_unknown_words_are_warned_of(rewrite, caplog):
    with caplog.at_level("WARNING"):
        assert rewrite("xyzzy plugh", target=1)["text"]
    assert "No word of 'xyzzy plugh' is in the vocabulary" in caplog.text


@pytest.mark.parametrize(
    ("inputs", "arguments", "error", "message"),
    [
        ("", {}, ValueError, "the sentence is empty"),
        (["great", " \n"], {}, ValueError, "sentence 1 is empty"),
        (["great", 3], {}, TypeError, "sentence 1 must be a string, got int"),
        (3, {}, TypeError, "inputs must be a string or strings, got int"),
        ("great " * 11, {}, ValueError, "the sentence has 11 words, more than the limit of 10"),
        (["great", "great " * 11], {}, ValueError, "sentence 1 has 11 words"),
        ("great", {"target": "postive"}, ValueError, r"target must be one of 'negative' \(0\), 'positive' \(1\)"),
        ("great", {"source": 2}, ValueError, "source must be one of 'negative'"),
        (
            "great",
            {"traget": 1},
            TypeError,
            "OnnxStyleTransfer does not know the argument 'traget': did you mean target",
        ),
        ("great", {"num_beams": 4}, TypeError, "does not know the argument 'num_beams'"),
        ("great", {"do_sample": True, "temperature": 0}, ValueError, "temperature must lie in"),
        ("great", {"max_new_tokens": 0}, ValueError, "max_new_tokens must lie in"),
    ],
)
def test_the_pipeline_refuses(rewrite, inputs, arguments, error, message):
    with pytest.raises(error, match=message):
        rewrite(inputs, **arguments)


def test_labels_that_words_do_not_tell(transfer_model, tokenizer, tmp_path):
    sizes = {"vocab_size": len(tokenizer), "embedding_size": 4, "hidden_size": 4, "code_size": 4}
    model = AraeModel(AraeConfig(**sizes, num_attributes=2, id2label={0: "negative", 1: "positive"}))
    export_onnx(model, tmp_path / "two", tokenizer)
    rewrite = OnnxStyleTransfer(OnnxTextAutoencoder(tmp_path / "two"))
    with pytest.raises(ValueError, match=r"target or source is needed.*'negative', 'positive'"):
        rewrite("great")
    assert rewrite("great", target="positive")["source"] is None
    assert rewrite("great", source="positive")["target"] == "negative"
    three = {"num_attributes": 3, "id2label": {0: "sad", 1: "glad", 2: "calm"}}
    export_onnx(AraeModel(AraeConfig(**sizes, **three)), tmp_path / "three", tokenizer)
    with pytest.raises(ValueError, match="target is needed with more than two labels: one of 'sad', 'glad', 'calm'"):
        OnnxStyleTransfer(OnnxTextAutoencoder(tmp_path / "three"))("great", source="sad")
    export_onnx(VaeModel(VaeConfig(**sizes)), tmp_path / "none", tokenizer)
    plain = OnnxTextAutoencoder(tmp_path / "none")
    with pytest.raises(ValueError, match="needs a model with attributes"):
        OnnxStyleTransfer(plain)
    with pytest.raises(ValueError, match=r"num_attributes=1\): it cannot transfer"):
        plain.transfer("great", 0)
