"""Stopping a run early so that it can be resumed: by a signal or by a limit of time."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import torch
from accelerate import Accelerator

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: not done, and trying again will go on
_SAME_REQUEST = 1.0  # seconds in which a launcher's signal and the copy that it forwards count as one
_ORPHAN_PATIENCE = 120.0  # seconds that a process whose launcher is gone has to save and to end by itself


class TrainingInterrupted(SystemExit):
    """Training was stopped early, by SIGTERM, SIGINT or `max_time`, and can be resumed; the exit code is 75.

    `checkpoint` is the folder that it goes on from.
    """

    def __init__(self, checkpoint: Path):
        super().__init__(EXIT_CODE)
        self.checkpoint = checkpoint


def time_left(max_time: float, began: float) -> float:
    """What is left of `max_time`, in minutes, for the next of several trainings of one call; 0 stays no limit.

    Args:
        max_time: minutes that the whole call may take.
        began: when it began, in seconds of `time.monotonic`.
    """
    return max_time and max(max_time - (time.monotonic() - began) / 60, 1e-9)


class Interruption:
    """Turns the first SIGTERM or SIGINT into a request that the loop answers between two iterations.

    A second one exits at once with 128 + its number, also while the process waits for another one: Python's handlers
    do not run then, so a thread is told of signals. A process whose launcher is gone takes that for a SIGTERM.

    On leaving, the handlers of before are back. A signal that came too late for the loop to answer is then delivered
    to them. Nothing is installed outside the main thread, inside another training (that of a judge, in an evaluation),
    or for a signal that is ignored.

    Args:
        accelerator: whose processes stop together.
        max_time: minutes after which to stop; 0 for no limit.
    """

    _installed: Interruption | None = None

    def __init__(self, accelerator: Accelerator, max_time: float):
        self.accelerator, self.max_time = accelerator, max_time
        self.signal: int | None = None
        self.answered = False
        self.handlers: dict[int, object] = {}
        # Managers of jobs signal the launcher and its workers, and the launcher then signals its workers again.
        self.launched = "TORCHELASTIC_RUN_ID" in os.environ

    def __enter__(self) -> Interruption:
        self.began = time.monotonic()
        if threading.current_thread() is threading.main_thread() and Interruption._installed is None:
            Interruption._installed = self
            self._told, self._wakeup = socket.socketpair()
            self._wakeup.setblocking(False)
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self.handlers[number] = signal.signal(number, self._receive)
            self._earlier_wakeup = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
            self._watcher = threading.Thread(target=self._watch, args=(os.getppid(),), daemon=True)
            self._watcher.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        if Interruption._installed is self:
            self._restore()
            self._told.shutdown(socket.SHUT_RDWR)  # ends the thread, even where forked children hold copies
            self._wakeup.close()
            self._watcher.join()
            self._told.close()
        if self.signal is not None and not self.answered and kind is None:
            signal.raise_signal(self.signal)

    def _restore(self) -> None:
        signal.set_wakeup_fd(self._earlier_wakeup)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        Interruption._installed = None

    def _receive(self, number: int, frame: object) -> None:
        """Python's handler, in the main thread: the request stands even where the other thread is not yet awake."""
        if self.signal is None:
            self.signal = number

    def _watch(self, launcher: int) -> None:
        """The other thread: reads the number of each signal, which C code writes at once."""
        first: float | None = None
        orphaned: float | None = None
        while True:
            readable = select.select([self._told], [], [], 1.0)[0]
            numbers = self._told.recv(64) if readable else b""
            if readable and not numbers:
                return
            now = time.monotonic()
            for number in numbers:
                if number not in self.handlers:
                    continue
                if first is None:
                    first = now
                    self._note(number)
                elif not (self.launched and now - first < _SAME_REQUEST):
                    os._exit(128 + number)
            if self.launched and os.getppid() != launcher:
                if orphaned is None:
                    orphaned = now
                    self._note(signal.SIGTERM)
                elif now - orphaned > _ORPHAN_PATIENCE:
                    os._exit(128 + signal.SIGTERM)

    def _note(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
        if self.accelerator.is_main_process:
            message = f"\n{self.reason}: stopping after this iteration; once more exits at once without saving\n"
            os.write(2, message.encode())  # print() must not be called while it is already under way

    def requested(self) -> bool:
        """Whether to stop now: the same answer on all processes, which must all ask."""
        over = bool(self.max_time) and time.monotonic() - self.began >= 60 * self.max_time
        wanted = self.signal is not None or over
        if self.accelerator.num_processes > 1:
            flag = torch.tensor(float(wanted), device=self.accelerator.device)
            wanted = self.accelerator.reduce(flag, reduction="sum").item() > 0
        self.answered = wanted
        return wanted

    @property
    def reason(self) -> str:
        """Why to stop, in words."""
        if self.signal is not None:
            return signal.Signals(self.signal).name
        return f"max_time of {self.max_time:g} minutes" if self.max_time else "a signal to another process"


def _leave_to_the_parent() -> None:
    """In a forked child, a worker of an evaluation, say: signals to it are not signals to the training."""
    if Interruption._installed is not None:
        Interruption._installed._restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
