"""Copies of the log: which trackers there are, what TensorBoard shows, and what if one is missing or fails."""

from __future__ import annotations

import importlib.util
import sys
import types

import numpy as np
import pytest
from linear_run import make_run
from testing_mixins import read_log
from transformers import HfArgumentParser

from hf_arae.training import Evaluation, TrainingArguments, trackers


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("tensorboard,wandb", ["tensorboard", "wandb"]),
        ("tensorboard, mlflow", ["tensorboard", "mlflow"]),
        (["trackio", "trackio"], ["trackio"]),
        ("none", []),
        (["none"], []),
        ([], []),
    ],
)
def test_trackers_are_named_in_a_list_or_a_text(given, names):
    assert TrainingArguments(report_to=given).report_to == names


@pytest.mark.parametrize(
    ("words", "names"), [(["wandb", "mlflow"], ["wandb", "mlflow"]), (["none"], []), (None, None)]
)
def test_trackers_are_named_on_a_command_line(words, names):
    line = [] if words is None else ["--report_to", *words]
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses(line)
    assert arguments.report_to == (["tensorboard"] if names is None else names)


@pytest.mark.parametrize("given", ["excel", "none,wandb", ["tensorboard", "all"]])
def test_other_trackers_are_refused(given):
    with pytest.raises(ValueError, match="tensorboard, wandb, trackio, mlflow"):
        TrainingArguments(report_to=given)


def test_trackers_that_are_not_installed_are_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"wandb, mlflow.*pip install wandb mlflow"):
        make_run(tmp_path / "run", report_to="tensorboard,wandb,mlflow")
    assert not (tmp_path / "run").exists()


def test_tensorboard_shows_numbers_samples_and_pictures(tmp_path):
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture = tmp_path / "run" / "pictures" / "faces.png"

    def evaluator(model):
        picture.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 6, 3), 128, np.uint8)).save(picture)
        return Evaluation({"score": 1.0}, ["a line", picture])

    make_run(tmp_path / "run", evaluator=evaluator, eval_steps=9, report_to="tensorboard").train()
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    tags = board.Tags()
    assert {"first/loss", "second/loss", "eval/score", "rows_per_second"} <= set(tags["scalars"])
    assert [event.step for event in board.Scalars("first/loss")] == [3, 6, 9]
    (image,) = board.Images("samples/faces")
    assert (image.step, image.width, image.height) == (9, 6, 4)
    assert board.Tensors("samples/text_summary")[0].step == 9
    assert ["a line", "pictures/faces.png"] in [line.get("samples") for line in read_log(tmp_path / "run")]


def test_a_picture_that_is_not_there_is_an_error(tmp_path):
    evaluation = Evaluation({"score": 1.0}, [tmp_path / "nothing.png"])
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        make_run(tmp_path / "run", evaluator=lambda model: evaluation, eval_steps=9).train()


class Service(types.ModuleType):
    """As the modules of trackio and wandb are, for what is used of them."""

    def __init__(self, name: str, fails: bool):
        super().__init__(name)
        self.__spec__ = importlib.util.spec_from_loader(name, None)
        self.lines, self.fails, self.ended, self.config = [], fails, False, self
        self.settings: dict = {}

    def init(self, **options):
        self.options = options
        return self

    def update(self, values, **options):
        self.settings |= values

    def log(self, values, step):
        if self.fails:
            raise RuntimeError("the service is away")
        self.lines.append((step, values))

    def finish(self):
        self.ended = True


@pytest.mark.parametrize("name", ["trackio", "wandb"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_service_gets_the_log_or_costs_nothing(tmp_path, monkeypatch, warnings, name, fails):
    service = Service(name, fails)
    monkeypatch.setitem(sys.modules, name, service)
    assert make_run(tmp_path / "some-run", report_to=name).train().steps == 9
    assert service.options == {"project": "hf_arae", "name": "some-run"}
    assert service.settings["seed"] == 0 and service.settings["objective_class"] == "LineObjective"
    assert len(read_log(tmp_path / "some-run")) == 3
    if fails:
        assert [record for record in warnings.records if "the service is away" in record.getMessage()]
    else:
        assert [step for step, _ in service.lines] == [3, 6, 9] and service.ended
        assert "first/loss" in service.lines[0][1]
