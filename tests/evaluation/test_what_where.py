"""What and where: places in squares, exchanged wheres, movements whose numbers are known, and pictures of them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hf_arae import SwwaeConfig, SwwaeModel
from hf_arae.evaluation.what_where import (
    Response,
    exchange,
    exchange_table,
    fires,
    middle_wheres,
    poolings,
    respond,
    shift_numbers,
    shown_map,
    tells_where,
    where_coordinates,
)
from hf_arae.evaluation.what_where_pictures import draw_shifts, reconstruction_rows, where_map


def small(where: str = "switches", **changes) -> SwwaeModel:
    torch.manual_seed(0)
    settings = {"image_size": 12, "layers": "(3)3c-2p-(4)3c-3p", "where": where, "phase_beta": 300.0}
    return SwwaeModel(SwwaeConfig(**settings | changes)).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def test_poolings_know_their_sizes_and_what_a_pixel_of_theirs_is():
    low, high = poolings(small())
    assert low == (2, 12, 6, 1) and high == (3, 6, 2, 2)
    assert [tells_where(small(where)) for where in ("switches", "phase", "none")] == [True, True, False]


@torch.no_grad()
def test_places_of_switches_are_those_of_sharp_phases(images):
    hard, soft = small(), small("phase")
    for level in (0, 1):
        found = [where_coordinates(model, model.encode(images).wheres[level], level) for model in (hard, soft)]
        assert found[0].shape == found[1].shape and found[0].abs().max() <= 1
        # Where all of a square is 0, there is no place, and the two kinds differ.
        seen = hard.encoder(images).whats[level][:, :, None].expand_as(found[0]) > 0.02
        assert seen.float().mean() > 0.3
        assert (found[0] - found[1]).abs()[seen].median() < 0.05
    with pytest.raises(ValueError):
        where_coordinates(small("none"), torch.zeros(1))


@torch.no_grad()
def test_without_where_a_maximum_stands_in_the_middle():
    wheres = middle_wheres(small(), 2)
    assert [tuple(one.shape) for one in wheres] == [(2, 3, 6, 6), (2, 4, 2, 2)]
    assert wheres[1][0, 0].tolist() == [[7, 10], [25, 28]]  # of a map of 6 x 6, in squares of 3 x 3
    assert not where_coordinates(small(), wheres[1]).any()
    maps = F.max_unpool2d(torch.ones(2, 4, 2, 2), wheres[1], 3)
    assert maps.sum() == 2 * 4 * 4
    assert all(not one.any() for one in middle_wheres(small("phase"), 2))
    assert middle_wheres(small("none"), 2) == (None, None)


@pytest.mark.parametrize("where", ["switches", "phase", "none"])
@torch.no_grad()
def test_exchanged_with_its_own_where_an_image_is_rebuilt(images, where):
    model = small(where)
    seen = model.encode(images)
    made = exchange(model, seen, model.encode(images[:4]))
    assert made.shape == (6, 4, 1, 12, 12)
    torch.testing.assert_close(made.diagonal().movedim(-1, 0), model.reconstruct(images)[:4])
    other = model.decode(seen.what[2:3], [None if one is None else one[1:2] for one in seen.wheres])
    torch.testing.assert_close(made[2, 1], other[0])


def test_what_stays_and_where_moves_by_hand():
    """Four maps at 100 images: two move as they should, one stands still, and one never fires."""
    source = torch.Generator().manual_seed(0)
    what = torch.rand(100, 4, generator=source) + 0.5
    what[:, 3] = 0
    where = torch.rand(100, 4, 2, generator=source) - 0.5
    still, right = Response(what, where), where.clone()
    right[:, :2, 0] += 0.2
    right[:, :2, 1] -= 0.1
    moved = {("horizontal", 3): Response(what, right), ("vertical", -3): Response(what + 1, where)}
    rows = shift_numbers(small("phase"), still, moved)
    # In squares of 3 x 3 pixels, each of 2 pixels of the image, a unit is 2 pixels.
    wanted = {"what_r2": 1, "where_shift": 0.4 / 3, "where_pixels": 0.8 / 3, "other_axis_pixels": 0.4 / 3, "maps": 75}
    wanted |= dict.fromkeys(("right_sign_maps", "right_sign"), 200 / 3)
    assert {name: rows[0][name] for name in wanted} == pytest.approx(wanted, abs=1e-5)
    assert [(row["axis"], row["pixels"]) for row in rows] == [("horizontal", 3), ("vertical", -3)]
    assert rows[1]["what_r2"] < 0 and rows[1]["right_sign_maps"] == 0 and rows[1]["where_pixels"] == 0
    assert not fires(still)[:, 3].any()
    assert shown_map(still, list(moved.values())) in (0, 1, 2)


@torch.no_grad()
def test_responses_are_the_top_pooling_s(images):
    model = small("phase")
    found = respond(model, images)
    assert found.what.shape == (6, 16) and found.where.shape == (6, 16, 2)
    what, wheres = model.encode(images)
    torch.testing.assert_close(found.what, what.flatten(1))
    # Map 1 at the position in the second row and first column
    torch.testing.assert_close(found.where[:, 1 * 4 + 2], wheres[1][:, 1, :, 1, 0])
    with pytest.raises(ValueError):
        respond(small("none"), images)


@torch.no_grad()
def test_pictures_are_drawn(images, tmp_path):
    model = small("phase")
    table = exchange_table(model, images[:3])
    assert table.shape == (16, 1, 12, 12)
    for place, wanted in ((1, images[0]), (8, images[1]), (10, model.reconstruct(images)[1])):
        torch.testing.assert_close(table[place], wanted)
    picture = reconstruction_rows({"none": [images, images], "phase": [images, images]}, columns=4, scale=1)
    assert picture.width > 2 * 4 * 12
    still, moved = respond(model, images), respond(model, images.roll(1, 3))
    assert draw_shifts(still, {("horizontal", 1): moved}, 0, tmp_path / "shifts.png")
    assert (tmp_path / "shifts.png").stat().st_size > 1000


@torch.no_grad()
def test_a_where_map_has_its_brightest_point_where_the_maximum_is():
    pooling, what, places = poolings(small())[1], torch.zeros(1, 2, 2), torch.zeros(1, 2, 2, 2)
    what[0, 1, 0], places[0, :, 1, 0] = 2.0, torch.tensor([1.0, -1.0])  # right and above, in the square below left
    found = where_map(places, what, pooling)
    assert found.shape == (6, 6) and found[3, 2] == 1 and found.sum() == 1
