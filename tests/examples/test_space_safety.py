"""The Space against visitors who mean harm, and against models that nobody has looked at."""

# ruff: noqa: E402 (what needs gradio is imported where it is installed)
from __future__ import annotations

import json
import math
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import transformers

pytest.importorskip("gradio", reason="the Space needs gradio: pip install hf_arae[space]")

SPACE = Path(__file__).parents[2] / "examples" / "space"
sys.path.insert(0, str(SPACE))

import app
import checkpoints as checkpoints_module
import fetching
import gradio as gr
import interpolation_tab
import map_tab
import transfer_tab
import walk_tab
from checkpoints import Checkpoints, checkpoints
from conftest import SENTENCES
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from markup import readable, shared_words

from hf_arae import UrsaeConfig, UrsaeForConditionalGeneration
from hf_arae.data.text.tokenization import train_tokenizer

TEXT = SENTENCES["negative"][0]


@pytest.fixture
def foreign(transfer_folder, tmp_path) -> Path:
    """A folder that a visitor may name, to be spoiled."""
    folder = Path(shutil.copytree(transfer_folder, tmp_path / "foreign"))
    checkpoints._kept.clear()
    checkpoints.show(str(folder))
    return folder


@pytest.fixture(scope="module")
def transfer(transfer_folder) -> str:
    checkpoints.show(str(transfer_folder))
    return str(transfer_folder)


@pytest.fixture(scope="module")
def summary(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("models") / "summary"
    tokenizer = train_tokenizer([TEXT], max_length=30, style="news")
    sizes = {"embedding_size": 4, "hidden_size": 4, "reader_size": 4, "conv_size": 4}
    model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), max_source_length=30, **sizes))
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    checkpoints.show(str(folder))
    return str(folder)


def change(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def said(call, *arguments) -> str:
    with pytest.raises(gr.Error) as refused:
        call(*arguments)
    return refused.value.message


def refusal(folder: Path) -> str:
    """What is said of a folder, which is no longer in memory."""
    with pytest.raises(ValueError) as refused:
        checkpoints.get(str(folder))
    message = str(refused.value)
    assert len(message) < 700 and "\n" not in message
    return message.removeprefix(f"the model {folder} cannot be loaded: ")


# What a model may ask for


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_layers", 10**9),
        ("num_layers", 1000),
        ("num_attributes", 10**9),
        ("num_attributes", 1000),
        ("num_labels", 10**9),
        ("hidden_size", 10**12),
        ("vocab_size", 10**30),
        ("max_sequence_length", 10**6),
        ("dropout", math.nan),
        ("generator_sizes", [8] * 10_000),
        ("id2label", {str(one): "x" for one in range(10_000)}),
    ],
)
def test_sizes_are_bounded_before_anything_is_built(foreign, monkeypatch, name, value):
    monkeypatch.setattr(transformers, "AutoModelForSeq2SeqLM", None)  # whoever builds one fails by it
    change(foreign / "config.json", **{name: value})
    if name in ("generator_sizes", "id2label"):
        assert f"{name} has 10,000 entries" in refusal(foreign)
    else:
        assert f"its {name} is" in refusal(foreign)


def test_a_small_config_alone_is_refused(foreign):
    for file in foreign.iterdir():
        file.unlink()
    (foreign / "config.json").write_text('{"model_type": "arae", "num_layers": 1000000000}')
    assert "its num_layers is 1000000000; at most 16" in refusal(foreign)


def test_files_are_bounded(foreign):
    with (foreign / "config.json").open("a") as file:
        file.write(" " * 2**20)
    assert "its config.json has 1 MB" in refusal(foreign)
    shutil.copy(foreign / "generation_config.json", foreign / "config.json")
    with (foreign / "tokenizer.json").open("r+b") as file:
        file.truncate(60 * 2**20)  # a hole, which takes no room
    assert "its tokenizer.json has" in refusal(foreign)


def test_what_is_built_is_bounded_with_its_buffers(transfer):
    small = Checkpoints(max_parameters=1000)
    small.show(transfer)
    with pytest.raises(ValueError, match="million parameters"):
        small.get(transfer)


def test_settings_of_a_model_s_own_are_bounded(foreign):
    for name, value in (("max_new_tokens", 10**9), ("num_beams", 500), ("min_new_tokens", 10**9), ("max_time", 9e9)):
        change(foreign / "generation_config.json", **{name: value})
        assert name in refusal(foreign)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_are_named_without_their_place(foreign, name):
    for damage in (b"", b"[]", b'{"a": ', b"\xff", b"[" * 100_000):
        (foreign / name).write_bytes(damage)
        message = refusal(foreign)
        assert name in message and str(foreign) not in message


def test_damaged_weights_are_told_without_their_place(foreign):
    (foreign / "model.safetensors").write_bytes(b"0" * 1000)
    assert str(foreign.parent) not in refusal(foreign)


def test_a_tokenizer_reads_only_by_rules_that_are_known(foreign):
    file = foreign / "tokenizer.json"
    whole = json.loads(file.read_text())
    doubling = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    endless = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "a"}
    often = json.loads(json.dumps(whole["normalizer"]["normalizers"]))
    wrong = [
        {"normalizer": {"type": "Sequence", "normalizers": [doubling] * 31}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [endless]}]}},
        {"normalizer": {"type": "Prepend", "prepend": "a" * 1000}},
        {"normalizer": {"type": "Sequence", "normalizers": often * 100}},
        {"normalizer": ["Lowercase"]},
        {"padding": {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_id": 0, "pad_token": "<pad>"}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}},
        {"post_processor": whole["post_processor"] | {"single": whole["post_processor"]["single"] * 10_000}},
        {"model": {"type": "BPE", "vocab": {}, "merges": []}},
        {"model": 3},
    ]
    for parts in wrong:
        file.write_text(json.dumps(whole | parts))
        assert "tokenizer" in refusal(foreign)
    file.write_text(json.dumps(whole))
    change(foreign / "tokenizer_config.json", tokenizer_class="LlamaTokenizer")
    assert "LlamaTokenizer" in refusal(foreign)


def test_every_style_of_tokenizer_is_accepted(foreign, transfer_model):
    for style in ("sentence", "news"):
        for texts in ([TEXT], [f"{TEXT} _num_"], [f"`` {TEXT} ''"]):
            train_tokenizer(texts, style=style).save_pretrained(foreign)
            checkpoints_module.check_tokenizer(foreign)


def test_staged_models_are_accepted():
    shown = Checkpoints()
    shown.show(str(SPACE.parents[1] / "model_cards"))
    assert {Path(name).name for name in shown._folders} >= {
        "arae-yelp",
        "arae-flickr30k",
        "ursae-news",
        "headline-selector-news",
    }
    for folder in shown._folders.values():
        fields = checkpoints_module.read_config(folder, ("arae", "ursae", "headline_selector"))
        checkpoints_module.check_tokenizer(folder, shown._trusted)
        assert fields["model_type"] in ("arae", "ursae", "headline_selector")


# Whose files are read


def test_only_folders_that_are_shown_can_be_named(transfer_folder, tmp_path, monkeypatch):
    uploaded = Path(shutil.copytree(transfer_folder, tmp_path / "gradio" / "abc"))
    monkeypatch.chdir(tmp_path)
    kept = Checkpoints()
    kept.show(str(transfer_folder))
    assert kept.get(f"{transfer_folder.parent}/./{transfer_folder.name}/") is kept.get(str(transfer_folder))
    there = [str(uploaded), "/root", "/etc/passwd", "gradio/abc", "..", "~", str(transfer_folder.parent)]
    gone = [f"{uploaded}x", "/rooot", "/etc/passwdx", "gradio/abcx", "..x", "~x", f"{transfer_folder.parent}x"]
    for names in zip(there, gone, strict=True):
        messages = []
        for name in names:
            with pytest.raises(ValueError) as refused:
                kept.get(name)
            messages.append(str(refused.value).replace(name, "NAME"))
        assert messages[0] == messages[1]


def test_the_server_s_token_opens_nothing(local_hub, transfer_folder, monkeypatch):
    api = HfApi()  # of whoever runs the server
    for name, private in (("alice/open", False), ("alice/secret", True)):
        api.create_repo(name, private=private)
        api.upload_folder(repo_id=name, folder_path=str(transfer_folder))
    kept = Checkpoints()
    assert kept.get("alice/open").labels == list(SENTENCES)
    messages = []
    for name in ("alice/secret", "alice/nothing"):
        with pytest.raises(ValueError, match="no such public model") as refused:
            kept.get(name)
        messages.append(str(refused.value).replace(name, "NAME"))
    assert messages[0] == messages[1]
    api.upload_file(path_in_repo="tokenizer.json", path_or_fileobj=b" " * (51 * 2**20), repo_id="alice/open")
    monkeypatch.setattr(fetching, "snapshot_download", None)
    with pytest.raises(ValueError, match=r"tokenizer.json has .* MB"):
        Checkpoints().get("alice/open")


# What waits for what


def test_a_slow_load_holds_up_nobody_else(transfer, monkeypatch):
    kept, begun, end = Checkpoints(patience=0.01), Event(), Event()
    kept.show(transfer)
    loaded = kept.get(transfer, wait=True)

    def slow(name: str, most: int) -> Path:
        begun.set()
        end.wait()
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError, "gone")

    monkeypatch.setattr(checkpoints_module, "fetch", slow)
    with pytest.raises(ValueError, match="still being loaded"):
        kept.get("alice/slow")
    assert begun.wait(60) and kept.get(transfer) is loaded
    with kept.use(transfer) as used:
        assert used is loaded
    with ThreadPoolExecutor(8) as threads:  # as many visitors as there are
        for answer in [threads.submit(kept.get, "alice/slow") for _ in range(8)]:
            assert "still being loaded" in str(answer.exception())
    with pytest.raises(ValueError, match="still being loaded"):
        kept.get("alice/slower")
    with pytest.raises(ValueError, match="other models are being loaded"):
        kept.get("alice/slowest")
    assert kept.get(transfer) is loaded
    load = kept._loads["alice/slow"]
    end.set()
    assert isinstance(load.exception(60), ValueError)


def test_words_are_matched_in_time(summary):
    """Pairs that are compared grow with the texts' lengths, not with their product."""
    for unit in ("1", "'", "a ", "a b "):
        text = unit * (10_000 // len(unit))
        kept, known = shared_words(text, text)
        assert all(kept) and all(known)
        kept, known = shared_words(text, f"{text[: len(text) // 2]} z")
        assert not known[-1] and sum(kept) == sum(known) == len(known) - 1


# What is said


def test_what_is_no_choice_is_named(transfer, summary):
    lists = ["positive"]
    for call, arguments, meant in (
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, "sampled", math.nan, 0), "temperature"),
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, "sampled", None, 0), "temperature"),
        (transfer_tab.rewrite, (transfer, TEXT, lists, 2, "sampled", 0.7, 0), "label"),
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, None, 0.7, 0), "rewritings"),
        (interpolation_tab.interpolate, (transfer, TEXT, TEXT, 3, None, "positive"), "way"),
        (interpolation_tab.interpolate, (transfer, TEXT, TEXT, 3, "linear", lists), "label"),
        (walk_tab.walk, (transfer, TEXT, 3, math.nan, 0, 0, "positive"), "angle"),
        (walk_tab.walk, (transfer, TEXT, 3, 0.5, math.nan, 0, "positive"), "temperature"),
        (walk_tab.sample, (transfer, 3, math.inf, 0, "positive"), "temperature"),
        (walk_tab.sample, (transfer, 3, 0, 0, lists), "label"),
        (map_tab.draw_map, (transfer, TEXT, {}), "label"),
        (map_tab.new_sentences, (transfer, 3, 0, 1.5), "label"),
    ):
        message = said(call, *arguments)
        assert meant in message.lower() and "went wrong" not in message and "unhashable" not in message.lower()


def test_halves_of_characters_are_read_and_shown(transfer):
    html = transfer_tab.rewrite(transfer, f"\ud83d {TEXT}", "positive", 1, "sampled", 0.7, 0)
    assert "\ufffd" in html and html.encode()
    assert said(transfer_tab.rewrite, "a\ud83d", TEXT, "", 1, "sampled", 0.7, 0).encode()
    assert said(walk_tab.sample, transfer, 3, 0, 0, "a\ud83d").encode()


def test_numbers_are_shown_as_such():
    assert readable("it cost $ _num_ .") == "It cost $[number]."


def test_results_and_names_go_where_an_error_comes(transfer, summary):
    page = app.build(app.ScriptArguments(transfer, summary, transfer))
    named = {one.api_name: one for one in page.fns.values()}
    failures = [one for one in page.fns.values() if one.trigger_only_on_failure]
    asked = {"rewrite", "summarize", "interpolate", "walk", "sample", "draw_map"}
    for name in asked:
        (after,) = (one for one in failures if one.trigger_after == named[name]._id)
        assert after.outputs == named[name].outputs
        empty = after.fn()
        assert not any(empty if isinstance(empty, list) else [empty])
    for name in ("load_transfer", "load_summary", "load_map"):
        (after,) = (one for one in failures if one.trigger_after == named[name]._id)
        assert after.outputs == named[name].inputs and after.fn("the one before") == "the one before"


def test_headings_are_of_the_next_level(transfer, summary):
    page = app.build(app.ScriptArguments(transfer, summary, transfer))
    texts = [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]
    levels = [len(text) - len(text.lstrip("#")) for text in texts if text.startswith("#")]
    assert levels[0] == 1 and set(levels[1:]) == {2}
    assert "often wrong" in " ".join(texts[0].split())


def test_the_first_example_is_answered_well():
    folder = SPACE.parents[1] / "model_cards" / "arae-yelp"
    kept = Checkpoints()
    kept.show(str(folder))
    result = kept.get(str(folder)).rewrite(transfer_tab._EXAMPLES[0])
    assert result["text"] == "The staff was friendly and the place was clean."
