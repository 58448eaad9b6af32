"""Codes on a plane, and the codes of places between them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hf_arae.latent.code_map import CodeMap, principal_map


@pytest.fixture
def codes():
    return F.normalize(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def test_places_are_the_first_two_principal_components(codes):
    stretched = codes * torch.tensor([9.0, 4.0, *[0.1] * 6])
    places = principal_map(stretched).places
    assert places.shape == (30, 2)
    for axis in range(2):
        column = stretched[:, axis] - stretched[:, axis].mean()
        cosine = F.cosine_similarity(places[:, axis], column, dim=0)
        assert cosine.abs() > 0.99
    assert torch.allclose(places.mean(0), torch.zeros(2), atol=1e-5)
    assert (places.gather(0, places.abs().argmax(0, keepdim=True)) > 0).all()
    assert torch.allclose(principal_map(-stretched).places.abs(), places.abs(), atol=1e-4)


def test_a_code_lies_at_its_own_place(codes):
    plane = principal_map(codes)
    assert torch.allclose(plane.codes_at(plane.places), codes, atol=1e-6)
    assert torch.allclose(plane.codes_at(plane.places + 1e-4), codes, atol=1e-2)


def test_places_between_give_codes_between_that_are_as_long(codes):
    plane = CodeMap(codes[:2], torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    middle = plane.codes_at(torch.tensor([[0.5, 0.0], [0.5, 3.0], [1e6, 0.0]]))
    assert torch.allclose(middle[:2], F.normalize(codes[0] + codes[1], dim=0).expand(2, -1), atol=1e-6)
    near = plane.codes_at(torch.tensor([[0.2, 0.0]]))
    assert (near @ codes[0]).item() > (near @ codes[1]).item()
    assert torch.allclose(torch.cat([middle, near]).norm(dim=1), torch.ones(4))


def test_equal_places_and_opposite_codes_give_finite_codes(codes):
    same = CodeMap(codes[:3], torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    assert torch.allclose(same.codes_at(torch.zeros(1, 2)), F.normalize(codes[0] + codes[1], dim=0), atol=1e-6)
    opposite = CodeMap(torch.stack([codes[0], -codes[0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert opposite.codes_at(torch.tensor([[0.5, 0.0]])).isfinite().all()


def test_what_cannot_be_laid_out_is_said(codes):
    for few in (codes[:2], codes[:, :1], codes[0]):
        with pytest.raises(ValueError, match="at least 3 codes of width 2"):
            principal_map(few)
    with pytest.raises(ValueError, match="all of them are the same"):
        principal_map(codes[:1].expand(5, -1))
    plane = principal_map(codes)
    with pytest.raises(ValueError, match=r"shape \(places, 2\), got \(3,\)"):
        plane.codes_at(torch.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        plane.codes_at(torch.tensor([[0.0, float("nan")]]))
