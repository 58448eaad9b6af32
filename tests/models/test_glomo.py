"""GLoMo over words: graphs, features along them, and pre-training."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from testing_mixins import TextFamilyTests
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForPreTraining

from hf_arae import GlomoConfig, GlomoForPreTraining, GlomoModel, GlomoObjective
from hf_arae.models.glomo.objective_glomo import GlomoObjectiveArguments
from hf_arae.nn.graphs import allowed_edges, softmax_columns, squared_relu_columns

SIZES = {"vocab_size": 30, "hidden_size": 8, "num_heads": 2, "head_size": 3, "num_graph_layers": 2}
VARIANTS = {
    "usual": {},
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
    torch.testing.assert_close(graphs.sum(-2), graphs.any(-2).float())
    there = (ids != 0)[:, None, None, None]
    assert not (graphs.any(-2) & ~there).any() and not (graphs.any(-1) & ~there).any(), "padding"
    assert not graphs[:, :, :, :, [0]].any() and not graphs[0, ..., 7, :].any(), "nobody draws from <bos> and <eos>"
    itself = 0 if model.config.strict_mask else 1
    assert not graphs[:, 0].tril(-itself).any() and not graphs[:, 1].triu(itself).any(), "from later units"
    assert not (graphs.any((1, 2, 3)) & ~model.allowed_edges(ids).any(1)).any()


@torch.no_grad()
@pytest.mark.parametrize("changed", [1, 4, 6])
def test_nothing_is_known_of_the_future_bit_for_bit(model, changed):
    ids = sentences()[:1]
    other = ids.clone()
    other[0, changed] = 25
    one, two = (GraphsAndLosses(model, row) for row in (ids, other))
    before, after = slice(changed), slice(changed + 1, None)
    assert torch.equal(one.graphs[:, 0, ..., before], two.graphs[:, 0, ..., before])
    assert torch.equal(one.features[:, before, :8], two.features[:, before, :8])
    assert torch.equal(one.graphs[:, 1, ..., after], two.graphs[:, 1, ..., after])
    assert torch.equal(one.features[:, after, 8:], two.features[:, after, 8:])
    for place in range(8):
        for step in range(model.config.prediction_length):
            if place + 1 + step < changed:
                assert torch.equal(one.losses[:, 0, place, step], two.losses[:, 0, place, step])
            if place - 1 - step > changed:
                assert torch.equal(one.losses[:, 1, place, step], two.losses[:, 1, place, step])
    assert not torch.equal(one.features[:, changed:, :8], two.features[:, changed:, :8])
    assert not torch.equal(one.losses.nan_to_num(), two.losses.nan_to_num())


class GraphsAndLosses:
    def __init__(self, model, ids):
        self.graphs, self.features = model.graphs(ids), GlomoModel.forward(model, ids).last_hidden_state
        self.losses = model.unit_losses(ids)


@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch_and_padding_may_be_on_either_side(model):
    model, ids = model.double(), sentences()
    whole, features, losses = model.graphs(ids), GlomoModel.forward(model, ids)[0], model.unit_losses(ids)
    for row, length in enumerate((8, 5, 2)):
        alone = ids[row : row + 1, :length]
        for left in (0, 3):
            wide = F.pad(alone, (left, 1))
            here = slice(left, left + length)
            torch.testing.assert_close(model.graphs(wide)[..., here, here], whole[row, None, ..., :length, :length])
            torch.testing.assert_close(GlomoModel.forward(model, wide)[0][:, here], features[row, None, :length])
            found = model.unit_losses(wide)[:, :, here]
            torch.testing.assert_close(found, losses[row, None, :, :length], equal_nan=True)
        assert not features[row, length:].any()
    one_left_out = torch.tensor([[1, 1, 0, 1, 1, 1, 1, 1]])
    there = [0, 1, 3, 4, 5, 6, 7]
    found = model.graphs(ids[:1], one_left_out)
    torch.testing.assert_close(found[..., there, :][..., there], model.graphs(ids[:1, there]))


@torch.no_grad()
def test_the_backward_network_is_the_forward_one_of_the_mirrored_sequence(model):
    ids = torch.tensor([[9, 8, 7, 6, 12, 9]])
    mirrored = copy.deepcopy(model)
    for one, other in (("forward_network", "backward_network"), ("backward_network", "forward_network")):
        getattr(mirrored, one).load_state_dict(getattr(model, other).state_dict())
    grus = (mirrored.decoders.backward_gru, mirrored.decoders.forward_gru)
    mirrored.decoders.forward_gru, mirrored.decoders.backward_gru = grus
    torch.testing.assert_close(mirrored.graphs(ids.flip(1)).flip((1, 4, 5)), model.graphs(ids))
    torch.testing.assert_close(mirrored.unit_losses(ids.flip(1)).flip((1, 2)), model.unit_losses(ids), equal_nan=True)


@torch.no_grad()
def test_the_loss_is_the_mean_of_what_units_lose(model):
    ids, output = sentences(), model(sentences())
    losses = model.unit_losses(ids)
    assert losses.shape == (3, 2, 8, model.config.prediction_length)
    torch.testing.assert_close(losses[:, 0].nanmean(), output.forward_loss)
    torch.testing.assert_close(losses[:, 1].nanmean(), output.backward_loss)
    torch.testing.assert_close(output.loss, (output.forward_loss + output.backward_loss) / 2)
    assert model(ids, return_dict=False)[0] == output.loss
    assert losses[0, 0, 7].isnan().all() and losses[0, 1, 0].isnan().all() and losses[0, 0, 0].isfinite().all()


@pytest.mark.parametrize("predicts", ["units", "sentence"])
def test_before_training_the_loss_is_that_of_guessing(predicts):
    torch.manual_seed(0)
    model = GlomoForPreTraining(GlomoConfig(vocab_size=500, hidden_size=64, context_length=40, predicts=predicts))
    ids = torch.randint(5, 500, (16, 40))
    assert model(ids).loss.item() == pytest.approx(math.log(500), abs=0.2)


@torch.no_grad()
def test_a_sentence_is_predicted_from_the_mean_of_the_other_half():
    model, ids = make_model(predicts="sentence"), sentences()[:1]
    half = GlomoModel.forward(model, ids[:, :4]).last_hidden_state[:, :, :8].mean(1)
    states, _ = model.decoders.forward_gru(
        torch.cat([torch.zeros(1, 1, 8), model.embedded(ids[:, 4:7])], 1), half.expand(2, 1, 8).contiguous()
    )
    logits = states @ model.embeddings.weight.T + model.decoders.bias
    torch.testing.assert_close(model(ids).forward_loss, F.cross_entropy(logits[0], ids[0, 4:]))
    with pytest.raises(ValueError, match="units"):
        model.unit_losses(ids)


@torch.no_grad()
def test_what_the_controls_draw(model):
    ids, graphs = sentences(), model.graphs(sentences())
    if model.config.graph == "none":
        assert not graphs.any() and model.sparsity(ids) == {"edges": 0.0, "empty_columns": 1.0}
    if model.config.graph == "uniform":
        torch.testing.assert_close(graphs[0, 0, 0, 0, 1:4, 4], torch.full((3,), 1 / 3))
    if model.config.graph == "random":
        assert torch.equal(graphs, model.graphs(ids)) and graphs[0, 0, 0, 0, 1:4, 4].std() > 0.01
        assert not torch.equal(graphs[0, 0, 0, 0], graphs[0, 0, 0, 1])
        assert not torch.equal(graphs[0, 0, 0, 0], graphs[0, 0, 1, 0])
    if model.config.graph != "learned":
        assert not [name for name, _ in model.named_parameters() if "layers" in name or "key_network" in name]


def test_scores_of_any_size_give_no_nan():
    allowed = allowed_edges(torch.ones(1, 4, dtype=torch.bool))
    for size in (0.0, 1e-30, 1e-7, 1.0, 1e15):
        scores = (torch.randn(1, 1, 4, 4) * size).requires_grad_()
        for columns in (squared_relu_columns, softmax_columns):
            graph = columns(scores, allowed)
            graph[..., 2].square().sum().backward()
            assert graph.isfinite().all() and scores.grad.isfinite().all()
            torch.testing.assert_close(graph.sum(-2), graph.any(-2).float())


def test_columns_are_those_of_the_equation():
    scores = torch.tensor([[1.0, 2.0, 3.0], [9.0, -1.0, 1.0], [9.0, 9.0, 9.0]])[None, None]
    allowed = allowed_edges(torch.ones(1, 3, dtype=torch.bool))
    graph = squared_relu_columns(scores, allowed)[0, 0]
    torch.testing.assert_close(graph, torch.tensor([[0.0, 1.0, 0.9], [0.0, 0.0, 0.1], [0.0, 0.0, 0.0]]))
    loose = allowed_edges(torch.ones(1, 3, dtype=torch.bool), strict=False)
    torch.testing.assert_close(squared_relu_columns(scores, loose)[0, 0, :, 1], torch.tensor([1.0, 0.0, 0.0]))
    soft = softmax_columns(scores, allowed)[0, 0]
    torch.testing.assert_close(soft[:2, 2], torch.tensor([3.0, 1.0]).softmax(0))


def test_an_empty_column_can_be_filled():
    ids = sentences()
    dead, filled = (make_model(threshold_start=-1e3 + 1, empty_column=kind) for kind in ("zero", "uniform"))
    assert dead.sparsity(ids) == {"edges": 0.0, "empty_columns": 1.0}
    uniform = make_model(graph="uniform").graphs(ids)
    torch.testing.assert_close(filled.graphs(ids), uniform)


def test_what_has_nothing_to_draw_from_or_to_predict():
    model = make_model()
    for ids in ([[7]], [[0, 0]], [[0, 0], [7, 0]]):
        ids = torch.tensor(ids)
        output = model(ids)
        assert output.loss == 0 and not model.graphs(ids).any() and model.unit_losses(ids).isnan().all()
        assert GlomoModel.forward(model, ids).last_hidden_state.isfinite().all()
        terms = GlomoObjective(model).predict({"input_ids": ids})
        assert all(term.isfinite() for term in terms.values())


def test_wrong_inputs_are_refused():
    model = make_model()
    with pytest.raises(ValueError, match="context_length"):
        model.graphs(torch.ones(1, 13, dtype=torch.long))
    with pytest.raises(ValueError, match=r"\(batch, sequence\)"):
        model(torch.ones(5, dtype=torch.long))
    with pytest.raises(ValueError, match="no token"):
        model(torch.ones(2, 0, dtype=torch.long))
    with pytest.raises(ValueError, match="attention_mask"):
        model(sentences(), torch.ones(3, 7))
    with pytest.raises(TypeError, match="labels"):
        model(sentences(), labels=sentences())
    for wrong in ({"num_heads": 3}, {"sparsity": "relu"}, {"graph": "mine"}, {"kernel_size": 0}, {"threshold": "b"}):
        with pytest.raises(StrictDataclassClassValidationError, match=next(iter(wrong))):
            GlomoConfig(**{**SIZES, **wrong})
    for wrong in ({"positions": -1}, {"optimizer": "lion"}, {"learning_rate": 0.0}, {"momentum": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GlomoObjectiveArguments(**wrong)


def test_a_pretrained_model_loads_with_and_without_its_decoders(tmp_path):
    model = make_model(num_graph_layers=3)
    model.save_pretrained(tmp_path)
    whole, graphs = AutoModelForPreTraining.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    assert (type(whole), type(graphs)) == (GlomoForPreTraining, GlomoModel)
    assert torch.equal(whole(sentences()).loss, model(sentences()).loss)
    assert torch.equal(graphs.graphs(sentences()), model.graphs(sentences()))
    output = graphs(**graphs.example_inputs, output_graphs=True, output_hidden_states=True)
    assert output.last_hidden_state.shape == (2, 6, 16) and output.graphs.shape == (2, 2, 3, 2, 6, 6)
    assert len(output.hidden_states) == 4 and torch.equal(output.hidden_states[-1], output.last_hidden_state)
    graphs.save_pretrained(tmp_path / "alone")
    begun = GlomoForPreTraining.from_pretrained(tmp_path / "alone")
    assert torch.equal(begun.graphs(sentences()), model.graphs(sentences()))


def test_drawn_positions_are_as_many_as_wanted_and_lose_what_all_lose():
    model, mask = make_model(), sentences() != 0
    objective = GlomoObjective(model, GlomoObjectiveArguments(positions=3))
    chosen = objective._positions(mask)
    assert (chosen & mask).sum(1).tolist() == [3, 3, 2] and not chosen[0, 7]
    wide = objective._positions(F.pad(mask, (0, 2)))
    objective.begin_iteration(0)
    again = objective._positions(mask)
    assert torch.equal(again, chosen) and not torch.equal(wide[:, :8], chosen), "each call draws anew"
    objective.begin_iteration(0)
    assert torch.equal(objective._positions(F.pad(mask, (0, 2)))[:, :8] & mask, chosen & mask), "whatever the width"
    everything = GlomoObjective(model, GlomoObjectiveArguments(positions=0))
    terms = everything.predict({"input_ids": sentences()})
    torch.testing.assert_close(terms["loss"], model(sentences()).loss)
    assert terms["edges"].item() == pytest.approx(model.sparsity(sentences())["edges"])
    assert set(terms) == {"loss", "forward_loss", "backward_loss", "edges", "empty_columns"}
