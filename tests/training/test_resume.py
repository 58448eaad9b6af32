"""Going on from a checkpoint: which one, what is refused, and what the log, the data and the best one then are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading

import pytest
import torch
from linear_run import make_run
from test_trainer import Scripted, make_trainer
from testing_mixins import Halted, assert_same_run, halt_after, made_up_sentences, read_log, weight_size

from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.storage.run_files import LOG_FILE
from hf_arae.training import (
    CheckpointDamagedError,
    FolderInUseError,
    PhaseTrainer,
    TrainingArguments,
    TrainingInterrupted,
    checkpoint,
    run_folder,
)
from hf_arae.training.checkpoint import list_checkpoints
from hf_arae.training.interruption import Interruption
from hf_arae.training.run_folder import check_start


def names(folder) -> list[str]:
    return [path.name for path in list_checkpoints(folder)]


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "flipped weight": (lambda f: flip_a_byte(f / "model.safetensors"), "model.safetensors is not what was written"),
    "flipped state": (lambda f: flip_a_byte(f / "training_state.safetensors"), "training_state.safetensors is not"),
    "truncated": (
        lambda f: os.truncate(f / "training_state.safetensors", 100),
        "training_state.safetensors has 100 bytes",
    ),
    "missing file": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "missing manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "torn manifest": (lambda f: os.truncate(f / "manifest.json", 50), "manifest.json cannot be read"),
}


def test_weights_that_share_one_block_of_memory_are_gone_on_with(tmp_path):
    def run(folder, **settings):
        trainer = make_run(folder, **settings)
        weight = trainer.model.first.weight  # as those of an LSTM on a GPU lie, all in one buffer
        weight.data = torch.cat([torch.zeros(5), weight.data.flatten()])[5:].view_as(weight)
        return trainer

    run(tmp_path / "straight", max_steps=4).train()
    halted = run(tmp_path / "halted", max_steps=4, save_steps=2)
    halt_after(halted, 2)
    with pytest.raises(Halted):
        halted.train()
    run(tmp_path / "halted", max_steps=4, resume_from_checkpoint="last").train()
    assert_same_run(tmp_path / "straight", tmp_path / "halted", 4)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run of 8 iterations with evaluations, and a copy of how it stood after 6 of them, with 4 and 6 saved."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"max_steps": 8, "logging_steps": 3, "metric_for_best_model": "size"}
    make_trainer(folder / "straight", weight_size, **settings).train()
    halted = make_trainer(folder / "halted", weight_size, **settings)
    halt_after(halted, 6)
    with pytest.raises(Halted):
        halted.train()
    return folder


def resumed(folder, wanted="last", **changes) -> PhaseTrainer:
    settings = {"max_steps": 8, "logging_steps": 3, "metric_for_best_model": "size", "resume_from_checkpoint": wanted}
    return make_trainer(folder, weight_size, **(settings | changes))


@pytest.fixture
def halted(straight, tmp_path):
    return shutil.copytree(straight / "halted", tmp_path / "run")


@pytest.mark.parametrize(("harm", "reason"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(straight, halted, warnings, harm, reason):
    assert names(halted) == ["checkpoint-4", "checkpoint-6"]
    harm(halted / "checkpoint-6")
    with pytest.raises(CheckpointDamagedError, match=f"checkpoint-6 is damaged.*{reason}"):
        resumed(halted, str(halted / "checkpoint-6")).train()
    resumed(halted).train()
    assert f"checkpoint-6 is damaged and is passed over: {reason}" in warnings.text
    assert "resuming from" in warnings.text and "at step 4 of 8" in warnings.text
    assert_same_run(straight / "straight", halted, 8)
    assert (halted / "set-aside-checkpoint-6").is_dir(), "a damaged checkpoint is not deleted behind the user's back"


def test_when_all_are_damaged_the_run_does_not_silently_begin_anew(halted):
    for name in names(halted):
        (halted / name / "manifest.json").unlink()
    with pytest.raises(CheckpointDamagedError, match=r"(?s)every checkpoint is damaged.*-6: .*-4: "):
        resumed(halted).train()
    assert names(halted) == ["checkpoint-4", "checkpoint-6"]


def test_a_damaged_best_checkpoint_costs_a_warning_and_not_the_last_weights(tmp_path, warnings):
    evaluator = Scripted(3.0, 2.0, 1.0)
    trainer = make_trainer(tmp_path, evaluator, metric_for_best_model="score")
    save = trainer.save_checkpoint

    def harm():
        folder = save()
        if trainer.step == 6:
            flip_a_byte(tmp_path / "checkpoint-2" / "model.safetensors")
        return folder

    trainer.save_checkpoint = harm
    result = trainer.train()
    assert "the best checkpoint" in warnings.text and "the last weights are kept" in warnings.text
    assert result.best_checkpoint is None and result.metrics == {"score": 1.0}
    assert torch.equal(trainer.model.encoder.lstm.weight_hh_l0, evaluator.seen[2])


def test_resume_last_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    assert make_trainer(tmp_path, eval_steps=0, resume_from_checkpoint="last").train().steps == 6


@pytest.mark.parametrize("wanted", ["nowhere", "."])
def test_resuming_from_what_is_no_checkpoint_is_refused(tmp_path, wanted):
    with pytest.raises(FileNotFoundError, match="not a training checkpoint"):
        make_trainer(tmp_path, resume_from_checkpoint=str(tmp_path / wanted)).train()


def test_every_difference_to_the_run_is_listed(halted):
    with pytest.raises(ValueError, match="differs from this one") as error:
        resumed(halted, seed=1, max_steps=10, per_device_train_batch_size=8).train()
    assert str(error.value).splitlines()[1:] == [
        "  max_steps: was 8, now is 10",
        "  seed: was 0, now is 1",
        "  per_device_train_batch_size: was 16, now is 8",
        "Give them as they were, or --resume_with_changes to go on with what is now.",
    ]


def test_changes_can_be_accepted(halted, warnings):
    trainer = resumed(halted, max_steps=10, resume_with_changes=True)
    trainer.objective.settings.noise_std = 0.5
    fewer = TokenArrays(made_up_sentences(attributes=1).select(range(48)), 0)
    trainer = PhaseTrainer(trainer.model, trainer.objective, trainer.arguments, fewer, evaluator=weight_size)
    assert trainer.train().steps == 10
    for line in ("max_steps: was 8, now is 10", "noise_std: was 0, now is 0.5", "data.rows: was 64, now is 48"):
        assert line in warnings.text


def test_another_model_or_vocabulary_is_never_accepted(halted, tmp_path, tokenizer):
    with pytest.raises(ValueError, match=r"vocab_size: was 30, now is 40\n.*be resumed with another model"):
        resumed(halted, vocab_size=40, resume_with_changes=True).train()
    trainers = []
    for wanted in (None, "last"):
        trainer = make_trainer(tmp_path / "words", eval_steps=0, max_steps=2, resume_from_checkpoint=wanted)
        trainers.append(
            PhaseTrainer(
                trainer.model,
                trainer.objective,
                trainer.arguments,
                trainer.train_dataset,
                tokenizer,
            )
        )
        if wanted is None:
            trainers[0].train()
            tokenizer = type(tokenizer).from_pretrained(tmp_path / "words")
            tokenizer.add_tokens(["new"])
    with pytest.raises(ValueError, match=r"vocabulary: was '.* tokens"):
        trainers[1].train()


def test_a_new_run_in_an_old_ones_folder_is_refused_or_replaces_it(halted):
    log = (halted / LOG_FILE).read_text()
    with pytest.raises(FileExistsError, match=r"up to checkpoint-6.*resume_from_checkpoint last.*--overwrite"):
        make_trainer(halted).train()
    assert names(halted) == ["checkpoint-4", "checkpoint-6"] and (halted / LOG_FILE).read_text() == log
    with pytest.raises(FileExistsError, match="up to checkpoint-6"):
        check_start(TrainingArguments(str(halted)))
    with pytest.raises(FileNotFoundError, match="checkpoint-7"):
        check_start(TrainingArguments(str(halted), resume_from_checkpoint=str(halted / "checkpoint-7")))
    for accepted in ({"resume_from_checkpoint": "last"}, {"overwrite_output_dir": True}):
        check_start(TrainingArguments(str(halted), **accepted))
    make_trainer(halted, max_steps=3, save_steps=0, eval_steps=0, overwrite_output_dir=True).train()
    assert names(halted) == ["checkpoint-3"]
    assert [line["step"] for line in read_log(halted)] == [2]


def test_a_trainer_trains_once(tmp_path):
    trainer = make_trainer(tmp_path, eval_steps=0, overwrite_output_dir=True)
    trainer.train()
    with pytest.raises(RuntimeError, match="has trained already"):
        trainer.train()
    assert names(tmp_path) == ["checkpoint-4", "checkpoint-6"]


def test_a_log_that_was_torn_in_the_middle_of_a_line_is_mended(straight, halted):
    with (halted / LOG_FILE).open("a") as log:
        log.write('{"step": 7}\n' * 1000 + '{"step": 7, "seco')
    resumed(halted).train()
    assert_same_run(straight / "straight", halted, 8)


@pytest.mark.parametrize("kept", [0, 30])
def test_a_log_that_lost_lines_is_warned_of_and_goes_on(halted, warnings, kept):
    if kept:
        os.truncate(halted / LOG_FILE, len((halted / LOG_FILE).read_bytes()) - kept)
    else:
        (halted / LOG_FILE).unlink()
    resumed(halted).train()
    assert "is shorter" in warnings.text
    lines = [json.loads(line) for line in (halted / LOG_FILE).read_text().splitlines()]
    assert lines[-1]["step"] == 8


def test_going_back_sets_later_checkpoints_aside(straight, halted, warnings):
    resumed(halted, str(halted / "checkpoint-4"), save_total_limit=1).train()
    assert "set-aside-checkpoint-6" in warnings.text
    assert_same_run(straight / "straight", halted, 8)
    assert names(halted) == ["checkpoint-8"]


def test_a_run_can_go_on_in_another_folder(straight, halted, tmp_path):
    resumed(tmp_path / "new", str(halted / "checkpoint-6")).train()
    assert_same_run(straight / "straight", tmp_path / "new", 8)
    assert names(halted) == ["checkpoint-4", "checkpoint-6"]


def test_the_best_checkpoint_comes_along_to_another_folder(tmp_path):
    settings = {"metric_for_best_model": "score", "max_steps": 4}
    make_trainer(tmp_path / "old", Scripted(2.0, 1.0), **settings).train()
    changes = settings | {"max_steps": 6, "resume_with_changes": True}
    source = str(tmp_path / "old" / "checkpoint-4")
    result = make_trainer(tmp_path / "new", Scripted(1.5), resume_from_checkpoint=source, **changes).train()
    assert result.best_checkpoint == tmp_path / "new" / "checkpoint-2" and result.metrics == {"score": 2.0}


def test_a_run_that_stopped_early_does_not_go_on(tmp_path):
    settings = {"metric_for_best_model": "score", "early_stopping_patience": 1, "max_steps": 20}
    assert make_trainer(tmp_path, Scripted(2.0, 1.0), **settings).train().steps == 4
    result = make_trainer(tmp_path, Scripted(), resume_from_checkpoint="last", **settings).train()
    assert result.steps == 4 and result.metrics == {"score": 2.0}


def test_a_limit_of_time_saves_and_the_run_goes_on_exactly(straight, tmp_path, capsys):
    trainer = resumed(tmp_path, max_time=1e-9)
    with pytest.raises(TrainingInterrupted) as stopped:
        trainer.train()
    assert stopped.value.code == 75 and stopped.value.checkpoint == tmp_path / "checkpoint-1"
    assert "max_time of 1e-09 minutes: stopped at step 1 of 8" in capsys.readouterr().out
    resumed(tmp_path, max_time=60.0).train()
    assert_same_run(straight / "straight", tmp_path, 8)


def test_signal_handlers_are_restored_and_a_late_signal_is_delivered(tmp_path):
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        mine = signal.getsignal(signal.SIGTERM)
        trainer = make_trainer(tmp_path, lambda model: signal.raise_signal(signal.SIGTERM) or weight_size(model))
        trainer.arguments.eval_steps = 6  # in the last iteration: there is nothing left to stop
        assert trainer.train().steps == 6
        assert received == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_training_inside_an_evaluation_leaves_signals_to_the_outer_one(tmp_path):
    received = []

    def interrupt(model):
        if not received:
            received.append(signal.raise_signal(signal.SIGTERM))
        return weight_size(model)

    def judge(model):
        inner = make_trainer(tmp_path / "inner", interrupt, eval_steps=3)
        with torch.enable_grad():
            assert inner.train().steps == 6
        return weight_size(model)

    with pytest.raises(TrainingInterrupted) as stopped:
        make_trainer(tmp_path / "outer", judge).train()
    assert stopped.value.checkpoint == tmp_path / "outer" / "checkpoint-2"


def test_a_training_outside_the_main_thread_installs_no_handlers(tmp_path):
    seen = []
    trainer = make_trainer(tmp_path, lambda model: seen.append(signal.getsignal(signal.SIGTERM)) or weight_size(model))
    thread = threading.Thread(target=trainer.train)
    thread.start()
    thread.join()
    assert seen and not any(isinstance(getattr(handler, "__self__", None), Interruption) for handler in seen)
    assert names(tmp_path)[-1] == "checkpoint-6"


def test_one_run_at_a_time_writes_into_a_folder(tmp_path):
    with (
        run_folder.RunFolder(tmp_path, active=True),
        pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()} on "),
    ):
        make_trainer(tmp_path).train()
    make_trainer(tmp_path, eval_steps=0).train()
    assert not (tmp_path / ".lock").exists()


def test_leftovers_of_a_killed_save_are_cleaned_or_put_back(tmp_path):
    for name in ("checkpoint-4", ".checkpoint-4.replaced", ".checkpoint-6.replaced", ".checkpoint-6.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    (tmp_path / ".checkpoint-2.removed").mkdir()
    (tmp_path / ".export.new").mkdir()
    checkpoint.clean_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-6"]
    assert (tmp_path / "checkpoint-4" / "which").read_text() == "checkpoint-4"
    assert (tmp_path / "checkpoint-6" / "which").read_text() == ".checkpoint-6.replaced"


def test_a_run_begins_by_cleaning_up_after_a_killed_one(straight, halted):
    (halted / "checkpoint-6").rename(halted / ".checkpoint-6.replaced")
    for name in (".checkpoint-6.new", ".checkpoint-2.removed", ".export.new"):
        (halted / name).mkdir()
    resumed(halted).train()
    assert_same_run(straight / "straight", halted, 8)
    assert names(halted) == ["checkpoint-6", "checkpoint-8"]
    assert not [path.name for path in halted.iterdir() if path.name.startswith(".")]


def test_a_checkpoint_is_replaced_only_by_a_complete_one(tmp_path):
    folder = tmp_path / "checkpoint-2"
    needed = ["model.safetensors", "trainer_state.json", "training_state.safetensors"]

    def write(target):
        for name in needed:
            (target / name).write_text("new")

    def fail(target):
        (target / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    checkpoint.write_checkpoint(folder, lambda target: [(target / name).write_text("old") for name in (*needed, "a")])

    with pytest.raises(checkpoint.CheckpointWriteError, match="checkpoint-2 could not be written"):
        checkpoint.write_checkpoint(folder, fail)
    assert (folder / "model.safetensors").read_text() == "old" and checkpoint.find_damage(folder) is None
    checkpoint.write_checkpoint(folder, write)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*needed, "manifest.json"])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


def test_a_result_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    run_folder.export(tmp_path, lambda target: (target / "config.json").write_text('"old"'))

    def fail(target):
        (target / "config.json").write_text('"half"')
        raise OSError(28, "No space left on device")

    with pytest.raises(checkpoint.CheckpointWriteError, match=r"the result in .* could not be written"):
        run_folder.export(tmp_path, fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "digests.json"]
    assert (tmp_path / "config.json").read_text() == '"old"'
