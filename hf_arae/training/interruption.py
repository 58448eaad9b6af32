"""Stopping a run early so that it can be resumed: by a signal or by a limit of time."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import torch
from accelerate import Accelerator

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: not done, and trying again will go on
_SAME_REQUEST = 1.0  # seconds in which a launcher's signal and the copy that it forwards count as one


class TrainingInterrupted(SystemExit):
    """Training was stopped early, by SIGTERM, SIGINT or `max_time`, and can be resumed; the exit code is 75.

    `checkpoint` is the folder that it goes on from.
    """

    def __init__(self, checkpoint: Path):
        super().__init__(EXIT_CODE)
        self.checkpoint = checkpoint


class Interruption:
    """Turns the first SIGTERM or SIGINT into a request that the loop answers between two iterations.

    A second one exits at once with 128 + its number. On leaving, the handlers of before are back. A signal that came
    too late for the loop to answer is then delivered to them. Nothing is installed outside the main thread, inside
    another training (that of a judge, in an evaluation), or for a signal that is ignored.

    Args:
        accelerator: whose processes stop together.
        max_time: minutes after which to stop; 0 for no limit.
    """

    _installed = False

    def __init__(self, accelerator: Accelerator, max_time: float):
        self.accelerator, self.max_time = accelerator, max_time
        self.signal: int | None = None
        self.answered = False
        self.handlers: dict[int, object] = {}
        # Managers of jobs signal the launcher and its workers, and the launcher then signals its workers again.
        self.launched = "TORCHELASTIC_RUN_ID" in os.environ

    def __enter__(self) -> Interruption:
        self.began = time.monotonic()
        if threading.current_thread() is threading.main_thread() and not Interruption._installed:
            Interruption._installed = True
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self.handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind, error, trace) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if self.handlers:
            Interruption._installed = False
        if self.signal is not None and not self.answered and kind is None:
            signal.raise_signal(self.signal)

    def _receive(self, number: int, frame: object) -> None:
        if self.signal is None:
            self.signal, self.received = number, time.monotonic()
            if self.accelerator.is_main_process:
                message = f"\n{self.reason}: stopping after this iteration; once more exits at once without saving\n"
                os.write(2, message.encode())  # print() must not be called while it is already under way
        elif not (self.launched and time.monotonic() - self.received < _SAME_REQUEST):
            os._exit(128 + number)

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
