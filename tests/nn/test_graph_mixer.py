"""Mixing graphs into features: the formula, the identity at the start, padding, gradients, and memory."""

from __future__ import annotations

import weakref

import pytest
import torch

from hf_arae.nn.graph_mixer import GraphMixer, LayerGraphs

BATCH, LENGTH, WIDTH, LAYERS, HEADS = 2, 5, 6, 3, 2
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def made_up_graphs(length: int = LENGTH, layers: int = LAYERS, seed: int = 0) -> list[torch.Tensor]:
    """Columns of sum one over earlier positions (later ones in the second direction), the first one empty."""
    source = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(layers):
        weights = torch.rand(BATCH, 2, HEADS, length, length, generator=source, dtype=torch.float64)
        weights[:, 0], weights[:, 1] = weights[:, 0].triu(1), weights[:, 1].tril(-1)
        found.append(weights / weights.sum(-2, keepdim=True).clamp(min=1e-9))
    return found


def made_up_features(seed: int = 1) -> torch.Tensor:
    return torch.randn(BATCH, LENGTH, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_mixer(**changes) -> GraphMixer:
    torch.manual_seed(0)
    mixer = GraphMixer(WIDTH, LAYERS, HEADS, **changes).double()
    for parameter in mixer.parameters():
        torch.nn.init.normal_(parameter)
    return mixer


def every_graph(graphs: list[torch.Tensor]) -> torch.Tensor:
    """G^1 ... G^L, Lambda^2 ... Lambda^L: (batch, directions, graphs, heads, T, T)."""
    products = [graphs[0]]
    for one in graphs[1:]:
        products.append(products[-1] @ one)
    return torch.stack([*graphs, *products[1:]], 2)


@pytest.mark.parametrize("weights", ["free", "conditioned"])
def test_running_sums_are_the_formula_and_so_are_their_gradients(weights):
    mixer, features, graphs = make_mixer(weights=weights), made_up_features().requires_grad_(), made_up_graphs()
    shares = mixer.mixture_weights(features)
    torch.testing.assert_close(shares.sum((3, 4)), torch.ones_like(shares[:, :, :, 0, 0]))
    assert shares.shape[0] == (BATCH if weights == "conditioned" else 1)
    mixture = torch.einsum("bdgkij,bdmgkj->bdmij", every_graph(graphs), shares.expand(BATCH, -1, -1, -1, -1, LENGTH))
    drawn = torch.einsum("bdmij,biw,dm->bjdmw", mixture, features, mixer.scales).flatten(2)
    joined = torch.cat([features, drawn], 2)
    wanted = torch.cat([features, mixer.value(joined) * mixer.gate(joined).sigmoid()], 2)
    pull = torch.randn(wanted.shape, dtype=torch.float64)
    parts = (features, *mixer.parameters())
    gradients = torch.autograd.grad((wanted * pull).sum(), parts)
    for given in (graphs, iter(graphs), LayerGraphs(lambda: iter(graphs))):
        found = mixer(features, given)
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(torch.autograd.grad((found * pull).sum(), parts), gradients)
    with torch.no_grad():
        torch.testing.assert_close(mixer(features, iter(graphs)), wanted)


def test_a_residual_mixer_changes_nothing_at_the_start_and_learns():
    torch.manual_seed(0)
    mixer, features = GraphMixer(WIDTH, LAYERS, HEADS, output="residual"), made_up_features().float()
    graphs = [one.float() for one in made_up_graphs()]
    assert torch.equal(mixer(features, graphs, MASK), features)
    optimizer = torch.optim.Adam(mixer.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        mixer(features, graphs, MASK).square().sum().backward()
        optimizer.step()
    found = mixer(features, graphs, MASK)
    assert not torch.equal(found, features)
    assert torch.equal(found[1, 3:], features[1, 3:])
    assert all(parameter.grad.any() for parameter in mixer.parameters())


@pytest.mark.parametrize("output", ["concatenate", "residual"])
def test_padding_gives_and_gets_nothing(output):
    mixer, features, graphs = make_mixer(output=output), made_up_features(), made_up_graphs()
    other = features.clone()
    other[1, 3:] = torch.nan
    found, again = mixer(features, graphs, MASK), mixer(other, graphs, MASK)
    assert torch.equal(found[0], again[0]) and torch.equal(found[1, :3], again[1, :3])
    alone = mixer(features[1:, :3], [one[1:, :, :, :3, :3] for one in graphs])
    torch.testing.assert_close(found[1:, :3], alone)
    assert not found[1, 3:, WIDTH:].any() if output == "concatenate" else torch.equal(found[1, 3:], features[1, 3:])
    again[:, :3].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in mixer.parameters())


def test_forward_graphs_alone_let_nothing_through_from_later_positions():
    mixer, features, graphs = make_mixer(num_directions=1), made_up_features(), made_up_graphs()
    other = features.clone()
    other[:, 3] += 1.0
    found, again = mixer(features, graphs), mixer(other, graphs)
    assert torch.equal(found[:, :3], again[:, :3]) and not torch.equal(found[:, 4], again[:, 4])
    mixer = make_mixer()
    assert not torch.equal(mixer(features, graphs)[:, 0], mixer(other, graphs)[:, 0])


def test_no_layer_is_kept_for_the_gradient():
    mixer, features, alive = make_mixer(), made_up_features().requires_grad_(), []

    def layers():
        for one in made_up_graphs():
            graphs = one.clone()
            alive.append(weakref.ref(graphs))
            yield graphs
            del graphs

    output = mixer(features, LayerGraphs(layers))
    assert len(alive) == LAYERS and not any(one() is not None for one in alive)
    output.sum().backward()
    assert len(alive) == 2 * LAYERS and features.grad.any()


def test_a_mixer_in_half_precision_is_near_one_in_whole():
    mixer, features = make_mixer(output="residual").float(), made_up_features().float()
    graphs = [one.float() for one in made_up_graphs()]
    with torch.autocast("cpu", torch.bfloat16):
        found = mixer(features, graphs, MASK)
    found.sum().backward()
    torch.testing.assert_close(found, mixer(features, graphs, MASK), atol=0.3, rtol=0.1)
    assert mixer.weigh.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": "any"},
        {"output": "any"},
        {"num_mixtures": 0},
        {"num_directions": 3},
        {"dropout": 1.0},
        {"output": "residual", "gate_size": WIDTH + 1},
        {"gate_size": 0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        GraphMixer(WIDTH, LAYERS, HEADS, **wrong)


def test_graphs_of_other_features_are_refused():
    mixer, features, graphs = make_mixer(), made_up_features(), made_up_graphs()
    one_direction = [one[:, :1] for one in graphs]
    for wrong in (graphs[:2], [*graphs, graphs[0]], made_up_graphs(length=4), one_direction, [graphs[0][0]] * 3):
        with pytest.raises(ValueError, match="layer"):
            mixer(features, wrong)
