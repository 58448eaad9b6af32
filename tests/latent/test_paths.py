"""Interpolations and walks on vectors."""

import math

import torch

from hf_arae.latent.paths import interpolation, random_walk


def test_linear_points_lie_evenly_on_the_line():
    points = interpolation(torch.tensor([[0.0, 4.0]]), torch.tensor([[4.0, 0.0]]), 5)
    assert torch.equal(points, torch.tensor([[[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]]]))


def test_spherical_points_turn_and_grow_evenly():
    a, b = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 4.0]])
    points = interpolation(a, b, 4, "spherical")[0]
    turns = torch.tensor([0.0, 30.0, 60.0, 90.0]).deg2rad()
    lengths = torch.tensor([[2.0], [8 / 3], [10 / 3], [4.0]])
    torch.testing.assert_close(points, lengths * torch.stack([turns.cos(), 0 * turns, turns.sin()], 1))


def test_spherical_points_between_equal_and_nearly_equal_directions():
    a = torch.tensor([[0.6, 0.8]])
    torch.testing.assert_close(interpolation(a, 3 * a, 3, "spherical")[0], torch.cat([a, 2 * a, 3 * a]))
    near = torch.tensor([[0.6 + 1e-5, 0.8]])
    torch.testing.assert_close(interpolation(a, near, 3, "spherical"), interpolation(a, near, 3), atol=1e-6, rtol=0)


def test_spherical_points_of_normal_draws_keep_their_length():
    a, b = torch.randn(2, 16, 200, generator=torch.Generator().manual_seed(0)).unbind()
    ends = torch.stack([a.norm(dim=1), b.norm(dim=1)])
    middle = {method: interpolation(a, b, 3, method)[:, 1].norm(dim=1) for method in ("linear", "spherical")}
    torch.testing.assert_close(middle["spherical"], ends.mean(0))
    assert (middle["linear"] < 0.9 * ends.min(0).values).all()


def test_a_walk_turns_by_its_angle_and_keeps_its_length():
    start = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    points = random_walk(start, 6, 0.4, seed=1)
    assert points.shape == (3, 6, 8)
    assert torch.equal(points[:, 0], start)
    torch.testing.assert_close(points.norm(dim=2), start.norm(dim=1, keepdim=True).expand(3, 6))
    cosines = torch.cosine_similarity(points[:, 1:], points[:, :-1], dim=2)
    torch.testing.assert_close(cosines, torch.full_like(cosines, math.cos(0.4)))
    assert torch.equal(points, random_walk(start, 6, 0.4, seed=1))
    assert not torch.equal(points, random_walk(start, 6, 0.4, seed=2))
