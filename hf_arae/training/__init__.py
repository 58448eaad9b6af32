"""The one loop and what it is told: objectives, phases, arguments."""

from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.callbacks import TrainingCallback
from hf_arae.training.checkpoint import CheckpointDamagedError, CheckpointWriteError
from hf_arae.training.interruption import TrainingInterrupted
from hf_arae.training.non_finite import NonFiniteLossError
from hf_arae.training.objective import Objective, OptimizerSettings, Phase
from hf_arae.training.results import Evaluation, TrainingResult
from hf_arae.training.run_folder import FolderInUseError
from hf_arae.training.trainer import PhaseTrainer

__all__ = [
    "CheckpointDamagedError",
    "CheckpointWriteError",
    "Evaluation",
    "FolderInUseError",
    "NonFiniteLossError",
    "Objective",
    "OptimizerSettings",
    "Phase",
    "PhaseTrainer",
    "TrainingArguments",
    "TrainingCallback",
    "TrainingInterrupted",
    "TrainingResult",
]
