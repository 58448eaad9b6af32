"""A training's result is whole, or it is refused by name: half exported, damaged, mixed, replaced while it is read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer, pipeline
from transformers.utils import logging

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.text.encoding import encode_dataset
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.hub.checks import check_model_folder
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective
from hf_arae.storage.wholeness import DIGESTS_FILE
from hf_arae.training import NonFiniteLossError, PhaseTrainer, TrainingArguments, run_folder
from hf_arae.training.report import write_report

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def make_trainer(folder, words: str, **changes) -> PhaseTrainer:
    """Two runs with other words have vocabularies of one size: nothing but the words tells them apart."""
    texts = [f"{a} {b}" for a in words for b in words]
    tokenizer = train_tokenizer(texts, max_length=5)
    torch.manual_seed(ord(words[0]))
    sizes = {"embedding_size": 4, "hidden_size": 4, "code_size": 4, "num_attributes": 2}
    model = AraeModel(AraeConfig(vocab_size=len(tokenizer), **sizes))
    rows = {"text": texts, "label": [row % 2 for row in range(len(texts))]}
    settings = {"max_steps": 2, "per_device_train_batch_size": 4, "eval_steps": 0, "save_steps": 0}
    settings |= {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "overwrite_output_dir": True}
    return PhaseTrainer(
        model,
        AraeObjective(model),
        TrainingArguments(str(folder), **(settings | changes)),
        TokenArrays(encode_dataset(Dataset.from_dict(rows), tokenizer), 0),
        processing_class=tokenizer,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for words in ("abcde", "vwxyz"):
        make_trainer(folder / words, words).train()
    return folder


@pytest.fixture
def result(results, tmp_path) -> Path:
    return shutil.copytree(results / "abcde", tmp_path / "result")


@pytest.fixture
def warnings(caplog):
    logging.warning_once.__wrapped__.__globals__["warning_once"].cache_clear()
    logging.enable_propagation()
    yield caplog
    logging.disable_propagation()


def owner(folder: Path) -> str:
    """Whose weights and words a folder gives."""
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    kept = {words: load_file(folder.parent / f"{words}.safetensors") for words in ("abcde", "vwxyz")}
    (weights,) = [
        words
        for words, own in kept.items()
        if torch.equal(own["critic.layers.0.weight"], model.critic.layers[0].weight)
    ]
    return weights + (" abcde" if "a" in tokenizer.get_vocab() else " vwxyz")


def test_a_result_that_is_half_exported_is_refused_and_the_next_run_finishes_it(results, tmp_path, monkeypatch):
    for words in ("abcde", "vwxyz"):
        shutil.copyfile(results / words / "model.safetensors", tmp_path / f"{words}.safetensors")
    seen = set()
    for moment in range(1, 100):
        folder = shutil.copytree(results / "abcde", tmp_path / f"run{moment}")
        write_report(folder, {"accuracy": 1.0})
        left = [moment]

        def dying(name, real):
            def operation(*arguments, **options):
                left[0] -= 1  # noqa: B023
                if not left[0]:  # noqa: B023
                    raise KeyboardInterrupt(name)
                return real(*arguments, **options)

            return operation

        def copy(target: Path) -> None:
            for name in FILES:
                shutil.copyfile(results / "vwxyz" / name, target / name)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", dying("replace", os.replace))
            patched.setattr(Path, "rename", dying("rename", Path.rename))
            patched.setattr(Path, "unlink", dying("unlink", Path.unlink))
            try:
                run_folder.export(folder, copy)
                ended = True
            except KeyboardInterrupt:
                ended = False
        try:
            found = owner(folder)
        except OSError as error:
            found = "refused"
            assert "is not whole" in str(error) and str(folder) in str(error)
            assert any(name in str(error) for name in FILES)
            with pytest.raises((OSError, ValueError), match="is not whole"):
                pipeline("text-style-transfer", model=str(folder))
            with pytest.raises((OSError, ValueError), match=r"not whole|half written"):
                check_model_folder(folder)
        if found != "abcde abcde":
            assert not (folder / "metrics.json").exists(), "the report of the earlier result stays beside the new one"
        assert found in ("abcde abcde", "vwxyz vwxyz", "refused")
        seen.add(found)
        with run_folder.RunFolder(folder, active=True):
            assert owner(folder) in ("abcde abcde", "vwxyz vwxyz"), "the next run completes it"
        assert not list(folder.glob(".export*"))
        shutil.rmtree(folder)
        if ended:
            break
    assert seen == {"abcde abcde", "vwxyz vwxyz", "refused"} and found == "vwxyz vwxyz"


def test_a_result_that_is_replaced_while_it_is_read_is_never_mixed(results, result, monkeypatch):
    """The new result comes between any two files that a pipeline reads."""
    load = AutoTokenizer.from_pretrained

    def replaced(*arguments, **options):
        run_folder.export(
            result, lambda target: [shutil.copyfile(results / "vwxyz" / name, target / name) for name in FILES]
        )
        return load(*arguments, **options)

    monkeypatch.setattr("transformers.pipelines.AutoTokenizer.from_pretrained", replaced)
    with pytest.raises(OSError, match="was replaced"):
        pipeline("text-style-transfer", model=str(result))
    monkeypatch.undo()
    assert pipeline("text-style-transfer", model=str(result)).tokenizer.get_vocab().keys() > set("vwxyz")

    # Also where the first result is back by then; not where both were read before.
    model, tokenizer = AutoModel.from_pretrained(result), AutoTokenizer.from_pretrained(result)
    for words in ("abcde", "vwxyz"):
        run_folder.export(
            result,
            lambda target: [shutil.copyfile(results / words / name, target / name) for name in FILES],  # noqa: B023
        )
        other = AutoTokenizer.from_pretrained(result)
        assert pipeline("text-style-transfer", model=model, tokenizer=tokenizer).model is model
        if words == "abcde":
            between = other
    with pytest.raises(OSError, match="was replaced"):
        pipeline("text-style-transfer", model=model, tokenizer=between)

    def again(model):
        run_folder.export(
            result, lambda target: [shutil.copyfile(results / "abcde" / name, target / name) for name in FILES]
        )

    monkeypatch.setattr(AraeModel, "eval", again)  # the last thing that loading does
    with pytest.raises(OSError, match="was replaced"):
        AutoModel.from_pretrained(result)


def flip(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "removed": Path.unlink,
    "a folder": replace_by_folder,
    "a byte": lambda path: flip(path, 0.5),
    "the end": lambda path: flip(path, 0.999),
}


def test_damage_to_any_file_of_a_result_is_noticed_and_the_file_is_named(results, tmp_path, warnings):
    silent = []
    for name in FILES:
        for kind, harm in DAMAGES.items():
            folder = shutil.copytree(results / "abcde", tmp_path / f"{name}-{kind}")
            harm(folder / name)
            warnings.clear()
            try:
                pipeline("text-style-transfer", model=str(folder))
                said = warnings.text
            except Exception as error:
                said = str(error)
            if name.removesuffix(".json") not in said:
                silent.append((name, kind, said))
            shutil.rmtree(folder)
    assert not silent


def test_what_a_user_may_change_is_no_damage(result, warnings):
    """Line ends, the layout of JSON, what a tokenizer keeps of a call; settings by hand, which are named."""
    expected = pipeline("text-style-transfer", model=str(result))("a b", target=1)
    for name in FILES:
        if name.endswith(".json"):
            (result / name).write_text(json.dumps(json.loads((result / name).read_text()), indent=7))
    (result / "README.md").write_text("mine")
    warnings.clear()
    assert pipeline("text-style-transfer", model=str(result))("a b", target=1) == expected
    assert "changed" not in warnings.text
    tokenizer = AutoTokenizer.from_pretrained(result)
    tokenizer(["a b", "c"], padding=True, truncation=True)
    tokenizer.save_pretrained(result)
    assert pipeline("text-style-transfer", model=str(result))("a b", target=1) == expected
    config = json.loads((result / "config.json").read_text())
    (result / "config.json").write_text(json.dumps(config | {"id2label": {"0": "bad", "1": "good"}}))
    assert pipeline("text-style-transfer", model=str(result))("a b", source="good")["target"] == "bad"
    assert str(result / "config.json") in warnings.text
    # Who saves into the folder makes it theirs.
    model, tokenizer = AutoModel.from_pretrained(result), AutoTokenizer.from_pretrained(result)
    tokenizer.add_tokens(["more"])
    model.save_pretrained(result)
    tokenizer.save_pretrained(result)
    assert not (result / DIGESTS_FILE).exists()
    AutoModel.from_pretrained(result)


def test_a_second_result_leaves_nothing_of_the_first(tmp_path):
    make_trainer(tmp_path, "abcde").train()
    write_report(tmp_path, {"accuracy": 1.0})
    trainer = make_trainer(tmp_path, "vwxyz")
    trainer.processing_class = None
    trainer.train()
    assert not (tmp_path / "tokenizer.json").exists(), "words of the first run beside the weights of the second"
    assert not (tmp_path / "metrics.json").exists()
    write_report(tmp_path, {"accuracy": 2.0})
    trainer.save_model()
    assert (tmp_path / "metrics.json").exists(), "the same result once more"


def test_weights_saved_last_are_the_ones_that_load(results, tmp_path):
    model, other = (AutoModel.from_pretrained(results / words) for words in ("abcde", "vwxyz"))
    for first, second in (({}, {"max_shard_size": "1KB"}), ({"max_shard_size": "1KB"}, {})):
        for variant in (None, "fp16"):
            options = {"variant": variant} if variant else {}
            model.save_pretrained(tmp_path, **first, **options)
            other.save_pretrained(tmp_path, **second, **options)
            loaded = AutoModel.from_pretrained(tmp_path, **options).state_dict()
            assert all(torch.equal(value, loaded[name]) for name, value in other.state_dict().items())
    names = {path.name for path in tmp_path.glob(".*")}
    assert not names


def test_a_save_that_fails_leaves_the_weights_of_before(results, tmp_path, monkeypatch):
    model, other = (AutoModel.from_pretrained(results / words) for words in ("abcde", "vwxyz"))
    model.save_pretrained(tmp_path)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full)
    with pytest.raises(OSError, match="No space"):
        other.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())


def test_a_tokenizer_is_saved_without_what_its_last_call_was(results, tmp_path):
    trainer = make_trainer(tmp_path, "abcde")
    trainer.processing_class(["a b c d e a b", "a"], truncation=True, padding=True)
    trainer.train()
    kept = json.loads((tmp_path / "tokenizer.json").read_text())
    assert kept["truncation"] is None and kept["padding"] is None
    for file in (tmp_path / "tokenizer.json", tmp_path / "checkpoint-2" / "tokenizer.json"):
        assert file.read_bytes() == (results / "abcde" / "tokenizer.json").read_bytes()
    assert len(trainer.processing_class("a b c d e a b", truncation=True)["input_ids"]) == 7


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    trainer = make_trainer(tmp_path, "abcde", max_steps=4, save_steps=1)
    run_phase = trainer.run_phase

    def overflowing(phase, batch):
        terms = run_phase(phase, batch)
        if trainer.step == 2 and phase is trainer.phases[-1]:
            with torch.no_grad():
                trainer.model.critic.layers[0].weight[0, 0] = float("inf")
        return terms

    trainer.run_phase = overflowing
    with pytest.raises(NonFiniteLossError, match=r"critic\.layers\.0\.weight .*checkpoint-2"):
        trainer.train()
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]
    with pytest.raises(NonFiniteLossError):
        trainer.save_model()
    assert not (tmp_path / "model.safetensors").exists()
