"""The smallest model with two players and a buffer, for tests of the loop; runs made of it."""

from __future__ import annotations

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from hf_arae.data.collated_rows import CollatedRows
from hf_arae.training import Objective, OptimizerSettings, Phase, PhaseTrainer, TrainingArguments

ROWS = 48


class LineConfig(PreTrainedConfig):
    model_type = "line"


class Line(PreTrainedModel):
    """Two lines, of which the second follows the first; `mean` is a running mean of what the first one gives."""

    config_class = LineConfig

    def __init__(self, config: LineConfig):
        super().__init__(config)
        self.first, self.second = nn.Linear(3, 1), nn.Linear(3, 1)
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("limit", torch.tensor([0.1, -7.3]))
        self.post_init()

    def _init_weights(self, module):
        pass


class LineObjective(Objective):
    """Phases `first` and `second`, each a mean over rows; `more` goes to both."""

    players = {"first": ("first",), "second": ("second",)}

    def __init__(self, model: Line, second: dict | None = None, settings: OptimizerSettings | None = None):
        super().__init__(model)
        self.second, self.optimizer = second or {}, settings or OptimizerSettings("adam", 1e-2)

    def optimizers(self):
        return dict.fromkeys(self.players, self.optimizer)

    def phases(self):
        return (
            Phase("first", "first", self.fit, repeat=2, max_grad_norm=1.0, before=self.note),
            Phase("second", "second", self.follow, **self.second),
        )

    def note(self, batch):
        self.shared["target"] = batch["x"].sum(1, keepdim=True).sin()

    def fit(self, batch):
        given = self.model.first(batch["x"])
        with torch.no_grad():
            self.model.mean.lerp_(given.mean(0), 0.1)
        return {"loss": (given - self.shared["target"]).square().mean()}

    def follow(self, batch):
        target = self.model.first(batch["x"]).detach()
        return {"loss": (self.model.second(batch["x"]) - target).square().mean()}


def collate(rows):
    return {"x": torch.tensor([row["x"] for row in rows], dtype=torch.get_default_dtype())}


def make_run(folder, objective: dict | None = None, evaluator=None, callbacks=(), workers=0, **changes):
    """A trainer of a fresh model on 48 rows."""
    torch.manual_seed(0)
    model = Line(LineConfig())
    source = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, 3, generator=source, dtype=torch.float64).tolist()
    settings = {"output_dir": str(folder), "max_steps": 9, "per_device_train_batch_size": 16, "logging_steps": 3}
    settings |= {"eval_steps": 0, "save_steps": 0, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    return PhaseTrainer(
        model,
        LineObjective(model, **(objective or {})),
        TrainingArguments(**(settings | changes)),
        CollatedRows(Dataset.from_dict({"x": x}), collate, workers),
        evaluator=evaluator,
        callbacks=callbacks,
    )
