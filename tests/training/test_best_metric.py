"""Choosing the best checkpoint: what can be chosen by, and numbers that are none."""

from __future__ import annotations

import json
import math
import time

import pytest
from test_trainer import Scripted, make_trainer
from testing_mixins import Halted, halt_after, weight_size

from hf_arae.storage.run_files import read_report
from hf_arae.training import Evaluation, TrainingArguments
from hf_arae.training.best_metric import is_better
from hf_arae.training.checkpoint import list_checkpoints
from hf_arae.training.report import write_report

INF, NAN = math.inf, math.nan


def strict_json(text: str):
    def refuse(name: str):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("scores", "greater", "best"),
    [
        ((NAN, 5.0, 9.0, 1.0), True, 9.0),
        ((NAN, 5.0, 9.0, 1.0), False, 1.0),
        ((-INF, 5.0, NAN, 1.0), True, 5.0),
        ((INF, 5.0, INF, 1.0), False, 1.0),
    ],
)
def test_what_is_no_number_is_never_the_best(tmp_path, scores, greater, best):
    changes = {"metric_for_best_model": "score", "greater_is_better": greater, "max_steps": 8}
    result = make_trainer(tmp_path, Scripted(*scores), **changes).train()
    assert result.metrics == {"score": best}
    assert result.best_checkpoint.name == f"checkpoint-{2 * scores.index(best) + 2}"


def test_where_no_evaluation_gives_a_number_the_last_weights_stay(tmp_path):
    trainer = make_trainer(
        tmp_path, Scripted(NAN, NAN, NAN), metric_for_best_model="score", early_stopping_patience=2, max_steps=20
    )
    result = trainer.train()
    assert result.best_checkpoint is None and result.steps == 4 and math.isnan(result.metrics["score"])
    assert not is_better(NAN, 1.0, False) and not is_better(NAN, None, True) and is_better(INF, 1.0, True)


def test_nothing_that_is_written_holds_what_is_not_json_and_a_resumed_run_knows_it_all_the_same(tmp_path):
    def evaluator(model):
        return Evaluation({"size": weight_size(model).metrics["size"], "odd": NAN, "far": -INF})

    settings = {"metric_for_best_model": "size", "max_steps": 6}
    first = make_trainer(tmp_path, evaluator, **settings)
    halt_after(first, 4)
    with pytest.raises(Halted):
        first.train()
    result = make_trainer(tmp_path, evaluator, resume_from_checkpoint="last", eval_steps=50, **settings).train()
    assert math.isnan(result.metrics["odd"]) and result.metrics["far"] == -INF
    lines = [strict_json(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    evaluations = [line for line in lines if "eval/size" in line]
    assert len(evaluations) == 3 and all(line["eval/odd"] is line["eval/far"] is None for line in evaluations)
    for path in tmp_path.rglob("*.json"):
        strict_json(path.read_text())
    write_report(tmp_path, result.metrics | {"rows": [{"x": INF}], "updates": 6}, [first.arguments])
    report = strict_json((tmp_path / "metrics.json").read_text())
    assert report == read_report(tmp_path)
    assert report["odd"] is None and report["rows"] == [{"x": None}] and report["size"] == result.metrics["size"]


class Naming(Scripted):
    """Names its metrics ahead."""

    def metric_names(self, model):
        return ["score", "bleu"]


def test_a_metric_that_no_evaluation_will_have_is_refused_before_the_first_update(tmp_path):
    with pytest.raises(ValueError, match=r"'blue'.*bleu, score"):
        make_trainer(tmp_path, Naming(1.0), metric_for_best_model="blue")
    with pytest.raises(ValueError, match="evaluator"):
        make_trainer(tmp_path, metric_for_best_model="score")


def test_without_evaluations_no_checkpoint_is_the_best(caplog):
    assert TrainingArguments(metric_for_best_model="score", eval_steps=0).metric_for_best_model is None
    assert "last weights" in caplog.text
    with pytest.raises(ValueError, match="early_stopping_patience"):
        TrainingArguments(metric_for_best_model="score", eval_steps=0, early_stopping_patience=2)


def test_where_names_are_not_known_ahead_nothing_that_was_trained_is_lost(tmp_path):
    settings = {"metric_for_best_model": "blue", "save_steps": 0}
    with pytest.raises(ValueError, match=r"'blue'.*score.*checkpoint-2"):
        make_trainer(tmp_path, Scripted(1.0), **settings).train()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-2"]
    settings |= {"metric_for_best_model": "score", "resume_from_checkpoint": "last"}
    assert make_trainer(tmp_path, Scripted(2.0, 3.0), **settings).train().metrics == {"score": 3.0}


def test_evaluating_leaves_every_module_in_its_mode(tmp_path):
    trainer = make_trainer(tmp_path, Scripted(*[1.0] * 6))
    for before in (True, False):
        trainer.model.train(before)
        trainer.model.critic.train(not before)
        modes = {name: module.training for name, module in trainer.model.named_modules()}
        trainer.evaluate()
        assert {name: module.training for name, module in trainer.model.named_modules()} == modes
    trainer.train()
    trainer.evaluate()
    assert not trainer.model.training


def test_the_time_of_a_run_is_that_of_all_calls(tmp_path):
    slow = 0.3
    first = make_trainer(tmp_path, lambda model: time.sleep(slow) or weight_size(model))
    halt_after(first, 4)
    with pytest.raises(Halted):
        first.train()
    result = make_trainer(tmp_path, weight_size, resume_from_checkpoint="last").train()
    assert result.seconds > 2 * slow
