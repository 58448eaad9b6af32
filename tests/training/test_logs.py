"""What a run says of itself: to TensorBoard, where that works, and to the terminal, without being steered by texts."""

from __future__ import annotations

import importlib.util
import os

import pytest
from test_trainer import Scripted, make_trainer
from testing_mixins import read_log

from hf_arae.training import Evaluation, trackers
from hf_arae.training.launch import warn_of_ignored_flags
from hf_arae.utils.display import visible


def test_without_tensorboard_the_run_goes_on_with_one_line(tmp_path, monkeypatch, warnings):
    find = importlib.util.find_spec
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name == "tensorboard" else find(name))
    assert make_trainer(tmp_path, eval_steps=0, report_to="tensorboard").train().steps == 6
    said = [record.getMessage() for record in warnings.records if "TensorBoard" in record.getMessage()]
    assert len(said) == 1 and "hf_arae[tensorboard]" in said[0] and "\n" not in said[0]
    assert len(read_log(tmp_path)) == 3 and not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("fails", ["__init__", "add_scalar", "close"])
def test_a_tensorboard_that_cannot_write_is_named_and_costs_nothing_else(tmp_path, monkeypatch, warnings, fails):
    from torch.utils.tensorboard import SummaryWriter

    def full(*arguments, **options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(SummaryWriter, fails, full)
    evaluator = Scripted(1.0, 2.0, 3.0)
    assert make_trainer(tmp_path, evaluator, report_to="tensorboard").train().steps == 6
    said = [record.getMessage() for record in warnings.records if "TensorBoard" in record.getMessage()]
    assert len(said) == 1 and str(tmp_path / "tensorboard") in said[0] and os.strerror(28) in said[0]
    assert len(read_log(tmp_path)) == 6 and (tmp_path / "model.safetensors").exists()


def test_texts_cannot_steer_the_terminal_or_forge_a_line(tmp_path, capsys):
    bad = "nice\x1b[31m\x1b]0;title\x07\nstep 4: score 100.00\r\u2028\x9b2J\u202e"
    make_trainer(tmp_path, lambda model: Evaluation({"score": 1.0}, [bad])).train()
    printed = capsys.readouterr().out
    assert not set(printed) & set("\x1b\x07\r\u2028\x9b\u202e")
    assert r"nice\x1b[31m\x1b]0;title\x07\nstep 4: score 100.00\r\u2028\x9b2J\u202e" in printed
    assert [line for line in printed.splitlines() if line.startswith("step 4")] == ["step 4: score 1.00"]
    assert [bad] in [line.get("samples") for line in read_log(tmp_path)], "the file keeps the text as it is"
    for text in (
        "café 我爱你们 नमस्ते 😀",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d🍳",
        "a\u3000b\xa0c",
    ):
        assert visible(text) == text


@pytest.mark.parametrize(
    ("variables", "command", "bf16", "named"),
    [
        ({"MIXED_PRECISION": "fp16"}, "accelerate launch --mixed_precision fp16 x.py", False, ["fp16", "--bf16"]),
        ({"MIXED_PRECISION": "bf16"}, "", False, ["--bf16"]),
        ({"MIXED_PRECISION": "bf16"}, "", True, []),
        ({}, "accelerate launch --cpu --gradient_accumulation_steps 4 x.py", False, ["of the script"]),
        ({"GRADIENT_ACCUMULATION_STEPS": "4"}, "", False, ["accumulation_steps 4", "of the script"]),
        ({"DYNAMO_BACKEND": "INDUCTOR"}, "", False, ["dynamo_backend"]),
        ({"USE_FSDP": "true"}, "", False, ["use_fsdp"]),
        ({"MIXED_PRECISION": "no", "DYNAMO_BACKEND": "NO"}, "accelerate launch x.py", False, []),
        ({}, "python x.py", True, []),
    ],
)
def test_flags_of_accelerate_launch_that_are_not_followed_are_named(
    monkeypatch, warnings, variables, command, bf16, named
):
    for name in list(os.environ):
        if name.startswith("ACCELERATE_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(f"ACCELERATE_{name}", value)
    monkeypatch.setattr("hf_arae.training.launch._parent_command", lambda: command.split())
    warn_of_ignored_flags(bf16)
    assert bool(warnings.text) == bool(named)
    for part in named:
        assert part in warnings.text
