"""The one loop and what it is told: objectives, phases, arguments."""

from hf_arae.training.arguments import TrainingArguments
from hf_arae.training.objective import Objective, OptimizerSettings, Phase
from hf_arae.training.trainer import AdversarialTrainer, Evaluation, NonFiniteLossError, TrainingResult

__all__ = [
    "AdversarialTrainer",
    "Evaluation",
    "NonFiniteLossError",
    "Objective",
    "OptimizerSettings",
    "Phase",
    "TrainingArguments",
    "TrainingResult",
]
