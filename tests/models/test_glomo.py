"""GLoMo over words: graphs, features along them, and pre-training."""

from __future__ import annotations

import pytest
import torch
from testing_mixins import TextFamilyTests

from hf_arae import GlomoConfig, GlomoForPreTraining, GlomoObjective
from hf_arae.models.glomo.objective_glomo import GlomoObjectiveArguments

SIZES = {"vocab_size": 30, "hidden_size": 8, "num_heads": 2, "head_size": 3, "num_graph_layers": 2}
VARIANTS = {
    "published": {"threshold": "query", "decoder_layers": 2},
    "softmax": {"sparsity": "softmax"},
    "one layer": {"num_graph_layers": 1},
    "one prediction": {"prediction_length": 1},
    "coupled": {"coupled": True},
    "filled columns": {"empty_column": "uniform", "threshold_start": -0.1},
    "linear": {"compose": "linear"},
    "not strict": {"strict_mask": False},
    "uniform": {"graph": "uniform"},
    "random": {"graph": "random"},
    "none": {"graph": "none"},
}


def make_model(seed=0, auto_class=GlomoForPreTraining, spread=3.0, **settings):
    """A model in evaluation mode; `spread` makes its graphs differ from uniform ones."""
    torch.manual_seed(seed)
    model = auto_class(GlomoConfig(**{**SIZES, "context_length": 12, **settings})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] not in ("bias", "by_query"):
                parameter.mul_(spread)
    return model


def sentences():
    return torch.tensor([[1, 9, 8, 7, 6, 12, 9, 2], [1, 6, 20, 5, 2, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0]])


@pytest.fixture(params=VARIANTS)
def model(request):
    return make_model(**VARIANTS[request.param])


class TestGlomoFamily(TextFamilyTests):
    def build_model(self):
        return GlomoForPreTraining(GlomoConfig(**SIZES, context_length=12, threshold="query"))

    def build_objective(self, model):
        return GlomoObjective(model, GlomoObjectiveArguments(positions=3, optimizer="adam", learning_rate=2e-3))


@torch.no_grad()
def test_a_column_sums_to_one_or_is_zero(model):
    ids = sentences()
    graphs = model.graphs(ids)
    layers, heads = model.config.num_graph_layers, model.config.num_heads
    assert graphs.shape == (3, 2, layers, heads, 8, 8) and (graphs >= 0).all()
    assert torch.equal(graphs, torch.stack(list(model.layer_graphs(ids)), 2))
    sums, filled = graphs.sum(-2), graphs.any(-2)
    torch.testing.assert_close(sums, filled.float())
    there = (ids != 0)[:, None, None, None]
    assert not (graphs.any(-2) & ~there).any() and not (graphs.any(-1) & ~there).any(), "padding"
    itself = 0 if model.config.strict_mask else 1
    assert not graphs[:, 0].tril(-itself).any() and not graphs[:, 1].triu(itself).any(), "from later units"
