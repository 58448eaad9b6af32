"""Models to compare graphs by: alike at the start but for the graphs."""

from __future__ import annotations

import pytest
import torch

from hf_arae.evaluation.graph_models import GRAPHS, PLACES, GraphModels
from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.graph_task_config import TASK_FIELDS
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.modeling_glomo_tasks import GlomoForQuestionAnswering

SIZES = {"vocab_size": 30, "hidden_size": 8, "num_graph_layers": 2, "num_heads": 2, "head_size": 4}
IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 2, 0, 0]])


def make(labels=("bad", "good"), **changes) -> GraphModels:
    torch.manual_seed(0)
    predictor = GlomoModel(GlomoConfig(**SIZES, key_layers=1, query_layers=1, context_length=20))
    sizes = {name: getattr(predictor.config, name) for name in TASK_FIELDS if name != "mix_at"} | changes
    return GraphModels(predictor, sizes, labels, heads=2)


@pytest.mark.parametrize("place", PLACES)
def test_recurrent_models_of_a_seed_begin_alike(place):
    models = make(task_attention=True)
    built = {graphs: models.build("rnn", graphs, place, 3) for graphs in GRAPHS}
    plain, glomo = built["none"].task.state_dict(), models.predictor
    for model in built.values():
        own = model.task.state_dict()
        for name, value in plain.items():
            assert torch.equal(own[name][tuple(map(slice, value.shape))], value), name
    assert torch.equal(plain["network.embeddings.weight"], glomo.embeddings.weight)
    assert torch.equal(built["learned"].glomo.embeddings.weight, glomo.embeddings.weight)
    assert not torch.equal(built["untrained"].glomo.embeddings.weight, glomo.embeddings.weight)
    other = models.build("rnn", "none", place, 4).task.state_dict()
    assert not torch.equal(other["network.rnn.weight_ih_l0"], plain["network.rnn.weight_ih_l0"])


@pytest.mark.parametrize("place", PLACES)
@torch.no_grad()
def test_transformers_of_a_seed_compute_the_same_at_the_start(place):
    models = make()
    found = [models.build("transformer", graphs, place, 3).eval()(input_ids=IDS).logits for graphs in GRAPHS]
    assert all(torch.equal(one, found[0]) for one in found)
    assert not torch.equal(models.build("transformer", "none", place, 4).eval()(input_ids=IDS).logits, found[0])


def test_questions_are_answered_by_recurrent_models():
    models = make(labels=())
    assert type(models.build("rnn", "learned", "embeddings", 0)) is GlomoForQuestionAnswering
    with pytest.raises(ValueError, match="rnn"):
        models.build("transformer", "learned", "embeddings", 0)
    with pytest.raises(ValueError, match="task_embedding_size"):
        make(task_embedding_size=3).build("rnn", "none", None, 0)
