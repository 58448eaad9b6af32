"""The losses of energies: scale, hinge of each example, and what the best energy is."""

from __future__ import annotations

import pytest
import torch

from hf_arae.losses.energy import energy_hinge, reconstruction_energy


def test_the_energies_are_the_norm_its_square_and_the_mean_square():
    images, rebuilt = torch.zeros(2, 1, 2, 2), torch.tensor([[3.0, 0, 4, 0], [1, 1, 1, 1]]).view(2, 1, 2, 2)
    expected = {"norm": [5.0, 2.0], "squared": [25.0, 4.0], "mean_squared": [6.25, 1.0]}
    for kind, values in expected.items():
        assert reconstruction_energy(images, rebuilt, kind).tolist() == pytest.approx(values)


def test_a_perfect_reconstruction_has_a_gradient():
    images = torch.rand(2, 3).requires_grad_()
    reconstruction_energy(images, images.clone()).sum().backward()
    assert torch.isfinite(images.grad).all()


def test_the_hinge_is_each_examples_own():
    energies = torch.tensor([0.0, 20.0], requires_grad=True)  # whose mean is the margin
    loss = energy_hinge(energies, 10.0)
    assert loss.item() == 5.0
    loss.backward()
    assert energies.grad.tolist() == [-0.5, 0.0]
    assert energy_hinge(energies, 0.0).item() == 0.0


@pytest.mark.parametrize(("real", "fake", "best"), [(0.3, 0.7, 10.0), (0.7, 0.3, 0.0)])
def test_lemma_1(real, fake, best):
    """a y + b max(0, m - y) is least at m where a < b, and at 0 otherwise."""
    energies = torch.linspace(0, 20, 2001)
    losses = [real * energy + fake * energy_hinge(energy[None], 10.0) for energy in energies]
    assert energies[torch.stack(losses).argmin()].item() == pytest.approx(best)
