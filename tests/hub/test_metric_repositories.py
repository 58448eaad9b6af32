"""Metrics as repositories that `evaluate.load` takes where hf_arae cannot be imported."""

import ast
import json
import math
import re
from pathlib import Path

import datasets
import pytest
import torch
from huggingface_hub import RepoCard
from transformers import GPT2Config, GPT2LMHeadModel

import hf_arae.hub.flat_sources
import hf_arae.hub.metrics
import hf_arae.metrics
from hf_arae.hub.errors import HubError
from hf_arae.hub.flat_sources import ExportError
from hf_arae.hub.metrics import METRICS, push_metric, stage_metric

TEXTS = ["the food was great .", "the food was awful !", "i am coming back .", ""]
OTHERS = ["the food was awful .", "the food was awful !", "i am never coming back .", "great !"]
LABELS = [row % 2 for row in range(40)]
CODES = [[math.sin(row), float(row % 2), math.cos(row)] for row in range(40)]
PAIRS = {"predictions": TEXTS, "references": OTHERS}
SHARES = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9]]
PICTURE = [[[abs(math.sin(row * 3 + column)) for column in range(12)] for row in range(12)]]
INPUTS = {
    "anomaly_detection": {"predictions": [row[0] for row in CODES], "references": LABELS},
    "bleu": PAIRS,
    "calibration_error": {"predictions": SHARES, "references": [0, 1, 0, 2]},
    "class_diversity": {"predictions": SHARES},
    "content_preservation": PAIRS,
    "diversity": {"predictions": TEXTS},
    "exact_match": PAIRS,
    "frechet_distance": {"predictions": CODES[:20], "references": CODES[15:]},
    "perplexity": {"predictions": TEXTS},
    "precision_recall": {"predictions": CODES[:20], "references": CODES[15:]},
    "reconstruction_quality": {"predictions": [PICTURE], "references": [[row[::-1] for row in PICTURE]]},
    "rouge": PAIRS,
    "style_leakage": {"predictions": CODES, "references": LABELS},
    "summary_shape": PAIRS,
    "transfer_accuracy": {"predictions": TEXTS, "references": [1, 1, 0, 0]},
}
TRAIN = {"text": OTHERS[:3] + TEXTS[:3], "label": [0, 0, 0, 1, 1, 1]}

# Run where hf_arae cannot be imported; prints the results as JSON.
ELSEWHERE = """
import json, sys

import datasets, evaluate

inputs, train, sources, judge = json.load(open(sys.argv[1]))
found = {}
for name, source in sources.items():
    made_of = {}
    if name == "perplexity":
        from transformers import AutoModelForCausalLM, AutoTokenizer

        made_of = {
            "model": AutoModelForCausalLM.from_pretrained(judge), "tokenizer": AutoTokenizer.from_pretrained(judge)
        }
    metric = evaluate.load(source, **made_of)
    if name == "transfer_accuracy":
        metric.fit(datasets.Dataset.from_dict(train))
    found[name] = [metric.name, metric.compute(**inputs[name])]
print("FOUND", json.dumps(found))
"""


@pytest.fixture(scope="module")
def judge(tokenizer, tmp_path_factory):
    """A small language model of transformers' own with the tokenizer, and their folder."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=16, n_embd=8, n_layer=1, n_head=1)
    folder = tmp_path_factory.mktemp("judge") / "judge"
    model = GPT2LMHeadModel(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, folder


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder of each metric's repository; one does not have the metric's name."""
    place = tmp_path_factory.mktemp("staged")
    return {name: stage_metric(name, place / ("my-bleu" if name == "bleu" else name)) for name in METRICS}


def expected(name, judge, tokenizer):
    """What the class itself computes."""
    metric_class = getattr(hf_arae.metrics, METRICS[name])
    metric = metric_class(judge[0], tokenizer) if name == "perplexity" else metric_class()
    if name == "transfer_accuracy":
        metric.fit(datasets.Dataset.from_dict(TRAIN))
    return metric.compute(**INPUTS[name])


def load_elsewhere(local_hub, sources, judge, place, **environment):
    """Results by name of metrics that another process loads, without this package."""
    (place / "elsewhere.py").write_text(ELSEWHERE)
    sources = {name: str(source) for name, source in sources.items()}
    (place / "told.json").write_text(json.dumps([INPUTS, TRAIN, sources, str(judge[1])]))
    command = [place / "elsewhere.py", place / "told.json"]
    done = local_hub.run(command, blocked=["hf_arae"], **environment)
    return json.loads(done.stdout.partition("FOUND ")[2])


def test_every_metric_is_listed():
    files = Path(hf_arae.metrics.__file__).parent.glob("*.py")
    holders = {file.stem for file in files if re.search(r"^class \w+\(InMemoryMetric\)", file.read_text(), re.M)}
    assert set(METRICS) == holders == set(INPUTS)


def test_staged_metrics_are_the_package_s_own(local_hub, staged, judge, tokenizer, tmp_path):
    found = load_elsewhere(local_hub, staged, judge, tmp_path, HF_EVALUATE_OFFLINE="1")
    for name in METRICS:
        assert found[name] == [name, pytest.approx(expected(name, judge, tokenizer), rel=1e-6)], name
    assert not local_hub.requests


def test_pushed_metrics_are_the_package_s_own(local_hub, judge, tokenizer, tmp_path):
    assert push_metric("bleu", "alice/bleu", private=True).repo_url == f"{local_hub.url}/spaces/alice/bleu"
    push_metric("style_leakage", "alice/my-probe")
    with pytest.raises(HubError, match="exists already"):
        push_metric("style_leakage", "my-probe")
    push_metric("style_leakage", "my-probe", update=True, message="Again")  # a name of one's own
    sources = {"bleu": "alice/bleu", "style_leakage": "alice/my-probe"}
    found = load_elsewhere(local_hub, sources, judge, tmp_path)
    for name in sources:
        assert found[name] == [name, pytest.approx(expected(name, judge, tokenizer), rel=1e-6)], name
    files = local_hub.files("alice/my-probe", "space")
    helpers = {"hf_arae_metrics_interface.py", "hf_arae_metrics_numbers.py", "hf_arae_utils_extras.py"}
    helpers |= {"index.html", "requirements.txt", ".gitattributes"}
    assert set(files) - helpers == {"README.md", "my-probe.py"}
    assert b'evaluate.load("alice/my-probe")' in files["README.md"]


def test_nothing_is_pushed_under_a_name_that_cannot_be_loaded(local_hub):
    for name, repository in (("bleu", "alice/bleu.v2"), ("meteor", "alice/meteor")):
        with pytest.raises(ValueError):
            push_metric(name, repository)
    assert not local_hub.requests


@pytest.mark.parametrize("name", METRICS)
def test_examples_give_what_they_say(name, judge, tokenizer, staged):
    card = (staged[name] / "README.md").read_text()
    source = re.search(r"```python\n(.*?)```", card, re.S)[1]
    assert f'evaluate.load("{staged[name].name}"' in source
    source = source.replace(f'load("{staged[name].name}"', f'load("{staged[name]}"')
    tree = ast.parse(source)
    splits = datasets.Dataset.from_dict({"text": ["good food", "bad food"], "label": ["positive", "negative"]})
    names = {"model": judge[0], "tokenizer": tokenizer, "dataset": {"train": splits, "validation": splits}}
    exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), names)
    result = eval(compile(ast.Expression(tree.body[-1].value), name, "eval"), names)
    if name != "perplexity":  # its result depends on the reader's model
        assert result == pytest.approx(ast.literal_eval(source.splitlines()[-1].removeprefix("# ")), abs=0.005)


def test_cards_are_those_of_spaces_with_a_metric(staged):
    for name, folder in staged.items():
        card = RepoCard.load(folder / "README.md")
        assert {"title": METRICS[name], "sdk": "static", "tags": ["evaluate", "metric"]}.items() <= (
            card.data.to_dict().items()
        )
        for heading in ("Inputs", "Outputs", "Errors"):
            assert f"\n## {heading}\n\n" in card.text, name
        assert "\n- `predictions`: " in card.text
    assert "<title>Bleu</title>" in (staged["bleu"] / "index.html").read_text()


def test_requirements_are_those_of_the_package(staged):
    project = (Path(hf_arae.__file__).parents[1] / "pyproject.toml").read_text()
    for folder in staged.values():
        lines = (folder / "requirements.txt").read_text().splitlines()
        assert any(line.startswith("evaluate>=") for line in lines) and not any("arae" in line for line in lines)
        for line in lines:
            assert f'"{line}"' in project, line
    assert any(line.startswith("scikit-learn") for line in (staged["style_leakage"] / "requirements.txt").open())


def test_an_unknown_metric_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be one of .*bleu, .*; got 'meteor'"):
        stage_metric("meteor", tmp_path / "meteor")


@pytest.mark.parametrize("folder", ["bleu.v2", "my bleu", "hf_arae_metrics_interface"])
def test_a_name_that_no_script_can_have_is_refused(tmp_path, folder):
    with pytest.raises(ValueError, match="repository's name"):
        stage_metric("bleu", tmp_path / folder)
    assert not list(tmp_path.iterdir())


def test_what_evaluate_would_not_copy_stops_the_staging(monkeypatch, tmp_path):
    sources = {
        "hf_arae.metrics.bleu": "from hf_arae.metrics.interface import InMemoryMetric\n",
        "hf_arae.metrics.interface": "from hf_arae.nn.mlp import Mlp\n",
        "hf_arae.nn.mlp": "",
    }
    monkeypatch.setattr(hf_arae.hub.flat_sources, "_read", sources.__getitem__)
    with pytest.raises(ExportError, match="must itself import hf_arae_nn_mlp"):
        stage_metric("bleu", tmp_path / "bleu")
    assert not (tmp_path / "bleu").exists()
