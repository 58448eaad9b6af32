"""Runs that are killed at any moment, stopped by signals, or out of space: nothing is lost, and they go on exactly."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from killed_runs import KILLS, LONG, SHORT
from testing_mixins import assert_same_run
from warm_python import run_python

ROOT = Path(__file__).parents[2]
# The runs compute in double precision, where sums in another order differ by some 1e-16 of their terms. Adam makes of
# that at most 1e-16 / 1e-8 of a rate of 2e-3 an update, 2e-11, and a run has some dozens of iterations of up to ten
# updates. Another batch or another draw changes weights by 1e-3.
TOLERANCE = 1e-7


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "training")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    script = str(ROOT / "tests" / "training" / "killed_runs.py")
    done = run_python([script, folder], env=environment, timeout=1200)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def results(folder) -> dict:
    results = json.loads((folder / "results.json").read_text())
    assert results["long"] == results["short"] == 0, "the uninterrupted runs did not end well"
    return results


def test_a_run_killed_twenty_times_equals_an_uninterrupted_one(folder, results):
    killed = results["killed"]
    assert killed["codes"] == [-signal.SIGPROF, -signal.SIGKILL] * (KILLS // 2)
    assert killed["leftovers"] >= KILLS // 4, "too few kills fell into a save"
    assert not killed["damaged"], "a checkpoint has its name before it is complete"
    assert killed["finished"] == 0 and not killed["left"]
    assert_same_run(folder / "long", folder / "killed", LONG, TOLERANCE)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_saves_and_exits_and_the_run_goes_on_exactly(folder, results, name):
    stopped = results[name]
    assert stopped["code"] == 75 and stopped["finished"] == 0
    assert f"{name}: stopped at step" in stopped["printed"] and "--resume_from_checkpoint last" in stopped["printed"]
    assert stopped["stopped_at"] != f"checkpoint-{SHORT}" and stopped["stopped_at"] in stopped["printed"]
    assert not stopped["exported"], "an interrupted run has no result yet"
    assert_same_run(folder / "short", folder / name, SHORT, TOLERANCE)


def test_a_second_signal_exits_at_once_even_from_waiting_for_another_process(results):
    assert results["twice"]["code"] == 128 + signal.SIGINT
    assert not results["twice"]["saved"]


def test_a_process_whose_launcher_is_gone_saves_and_ends(results):
    orphaned, waiting = results["orphaned"], results["orphaned and waiting"]
    assert "SIGTERM: stopped at step" in orphaned["printed"] and orphaned["left"][-1] in orphaned["printed"]
    assert "SIGTERM: stopping after" in waiting["printed"] and not waiting["left"]


def test_a_full_disk_is_named_with_the_last_good_checkpoint_and_nothing_is_lost(folder, results):
    starved = results["starved"]
    assert starved["code"] == 1
    error = starved["printed"].splitlines()[-1]
    assert f"CheckpointWriteError: {folder / 'starved' / 'checkpoint-4'} could not be written" in error
    assert "File too large" in error
    assert error.endswith(f"The last good checkpoint is {folder / 'starved' / 'checkpoint-3'}.")
    assert starved["left"] == ["checkpoint-2", "checkpoint-3"]
    assert starved["finished"] == 0
    assert_same_run(folder / "short", folder / "starved", SHORT, TOLERANCE)


def test_a_folder_without_write_permission_is_refused_before_training(results):
    assert results["read_only"]["code"] == 1 and not results["read_only"]["left"]
    error = results["read_only"]["printed"].splitlines()[-1]
    assert error.startswith("PermissionError") and "output_dir cannot be written (Permission denied)" in error
