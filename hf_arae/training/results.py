"""What an evaluator and a training return."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Evaluation:
    """What an evaluator returns: numbers to log, and samples: lines to read, or paths of pictures to look at."""

    metrics: dict[str, float]
    samples: list[str | Path] = field(default_factory=list)


@dataclass
class TrainingResult:
    """What `train` returns: iterations and seconds of all calls, and the metrics of the best evaluation (or last)."""

    steps: int
    seconds: float
    metrics: dict[str, float]
    best_checkpoint: Path | None
