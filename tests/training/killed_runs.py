"""Runs that are killed, stopped and starved; run as a script by test_crash.py, whose tests read what it leaves.

The library is imported once and each run is a forked child, so twenty kills take seconds. A process of its own keeps
the forks away from pytest's.

    python killed_runs.py FOLDER
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from test_trainer import make_trainer
from testing_mixins import weight_size

from hf_arae.training import PhaseTrainer, interruption
from hf_arae.training.checkpoint import find_damage, list_checkpoints

KILLS = 20
SETTINGS = {"save_steps": 1, "logging_steps": 3, "eval_steps": 5, "metric_for_best_model": "size"}
LONG, SHORT = 50, 8


def spawn(folder: Path, prepare: Callable[[PhaseTrainer], None] | None = None, **changes) -> tuple[int, int]:
    """Forks a run that prints into `<folder>.txt`; returns its process id and a pipe that ends in its first phase."""
    readable, writable = os.pipe()
    child = os.fork()
    if child:
        os.close(writable)
        return child, readable
    os.close(readable)
    output = os.open(folder.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        trainer = make_trainer(folder, weight_size, **({"max_steps": SHORT} | SETTINGS | changes))
        run_phase, told = trainer.run_phase, []

        def telling(*arguments):
            if not told:
                os.close(writable)
                told.append(True)
            return run_phase(*arguments)

        trainer.run_phase = telling
        if prepare is not None:
            prepare(trainer)
        trainer.train()
        code = 0
    except SystemExit as end:
        code = end.code
    except Exception:
        traceback.print_exc()
    finally:  # the parent's frames are not the child's to leave
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait_for_first_phase(pipe: int) -> None:
    os.read(pipe, 1)
    os.close(pipe)


def exit_code(child: int) -> int:
    """As subprocess has it: the exit status, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(folder: Path, prepare: Callable[[PhaseTrainer], None] | None = None, **changes) -> int:
    child, pipe = spawn(folder, prepare, **changes)
    os.close(pipe)
    return exit_code(child)


def in_first_phase(act: Callable[[], None]) -> Callable[[PhaseTrainer], None]:
    """What a run does to itself there; what another process did could come after its end, on a busy machine."""

    def prepare(trainer: PhaseTrainer) -> None:
        run_phase, done = trainer.run_phase, []

        def acting(*arguments):
            if not done:
                done.append(True)
                act()
            return run_phase(*arguments)

        trainer.run_phase = acting

    return prepare


def die_after(seconds: float) -> Callable[[PhaseTrainer], None]:
    """The run is killed when it has computed for so long from its first phase on, however busy the machine is."""
    return in_first_phase(lambda: signal.setitimer(signal.ITIMER_PROF, seconds))


def die_at_file_operation(count: int) -> Callable[[PhaseTrainer], None]:
    """The run kills itself at the `count`-th operation on a file of a checkpoint that is being written or removed."""
    left = [count]

    def watch(event: str, arguments: tuple) -> None:
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and ".checkpoint-" in str(arguments):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda trainer: sys.addaudithook(watch)


def killed_twenty_times(folder: Path) -> dict:
    """Half of the kills come at a random time, half at a random moment of a save."""
    moments = random.Random(0)
    codes, leftovers, damaged = [], 0, []
    for attempt in range(KILLS):
        changes = {"max_steps": LONG, "resume_from_checkpoint": "last"}
        if attempt % 2:
            codes.append(run(folder, die_at_file_operation(moments.randint(1, 150)), **changes))
        else:
            codes.append(run(folder, die_after(moments.uniform(0.001, 0.06)), **changes))
        leftovers += any(folder.glob(".checkpoint-*"))
        damaged += [f"{path.name}: {find_damage(path)}" for path in list_checkpoints(folder) if find_damage(path)]
    finished = run(folder, max_steps=LONG, resume_from_checkpoint="last")
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return {"codes": codes, "leftovers": leftovers, "damaged": damaged, "finished": finished, "left": left}


def stopped_by(number: signal.Signals, folder: Path) -> dict:
    code = run(folder, in_first_phase(lambda: os.kill(os.getpid(), number)))
    printed = folder.with_suffix(".txt").read_text()
    stopped_at = [path.name for path in list_checkpoints(folder)][-1]
    exported = (folder / "model.safetensors").exists()
    finished = run(folder, resume_from_checkpoint="last")
    return {"code": code, "printed": printed, "stopped_at": stopped_at, "exported": exported, "finished": finished}


def wait_for_another(trainer: PhaseTrainer) -> None:
    """The run waits in C code for a process that does not come, as in a collective: no handler of Python's runs."""
    tell = trainer.run_phase

    def waiting(*arguments):
        tell(*arguments)
        libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        for _ in range(2):  # the second time for ever, whatever signal comes
            libc.pthread_mutex_lock(mutex)

    trainer.run_phase = waiting


def stopped_twice(folder: Path) -> dict:
    child, pipe = spawn(folder, wait_for_another)
    wait_for_first_phase(pipe)
    os.kill(child, signal.SIGTERM)
    while "stopping after this iteration" not in folder.with_suffix(".txt").read_text():
        time.sleep(0.01)
    os.kill(child, signal.SIGINT)
    return {"code": exit_code(child), "saved": [path.name for path in list_checkpoints(folder)]}


def orphaned(folder: Path, prepare: Callable[[PhaseTrainer], None] | None = None) -> dict:
    """A run whose launcher is killed. It holds the pipe until it ends."""
    readable, writable = os.pipe()
    launcher = os.fork()
    if not launcher:
        os.environ["TORCHELASTIC_RUN_ID"] = "none"
        os.set_inheritable(writable, True)
        wait_for_first_phase(spawn(folder, prepare, max_steps=10**6, save_steps=0)[1])
        os._exit(0)
    os.close(writable)
    os.waitpid(launcher, 0)
    os.read(readable, 1)  # until the end of it
    os.close(readable)
    return {
        "printed": folder.with_suffix(".txt").read_text(),
        "left": [path.name for path in list_checkpoints(folder)],
    }


def give_up_at_once(trainer: PhaseTrainer) -> None:
    interruption._ORPHAN_PATIENCE = 0.1
    wait_for_another(trainer)


def starved(folder: Path) -> dict:
    """From the fourth checkpoint on no file may grow beyond 3 000 bytes, as on a full disk."""

    def starve(trainer: PhaseTrainer) -> None:
        save = trainer._save_model

        def saving(target: Path) -> None:
            if trainer.step == 4:
                resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
            save(target)

        trainer._save_model = saving

    code, printed = run(folder, starve), folder.with_suffix(".txt").read_text()
    left = sorted(path.name for path in folder.glob("*checkpoint*"))
    finished = run(folder, resume_from_checkpoint="last")
    return {"code": code, "printed": printed, "left": left, "finished": finished}


def read_only(folder: Path) -> dict:
    """A user who may read the folder and not write there."""
    with tempfile.TemporaryDirectory() as parent:
        target = Path(parent, "run")
        target.mkdir()
        output = folder.with_suffix(".txt")

        def become_nobody(trainer: PhaseTrainer) -> None:
            trainer.output_dir = target
            if os.geteuid() == 0:
                os.setuid(65534)

        os.chmod(parent, 0o755)
        target.chmod(0o555)
        code = run(folder, become_nobody)
        return {"code": code, "printed": output.read_text(), "left": [path.name for path in target.iterdir()]}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell's background job inherits is to ignore it
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    base = Path(sys.argv[1])
    results = {
        "long": run(base / "long", max_steps=LONG),
        "short": run(base / "short"),
        "killed": killed_twenty_times(base / "killed"),
        "SIGTERM": stopped_by(signal.SIGTERM, base / "SIGTERM"),
        "SIGINT": stopped_by(signal.SIGINT, base / "SIGINT"),
        "twice": stopped_twice(base / "twice"),
        "orphaned": orphaned(base / "orphaned"),
        "orphaned and waiting": orphaned(base / "waiting", give_up_at_once),
        "starved": starved(base / "starved"),
        "read_only": read_only(base / "read_only"),
    }
    (base / "results.json").write_text(json.dumps(results, indent=2))
