"""Clauses, intervals and tests in pairs, the probe for real sentences, the joint score and the picture."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hf_arae.evaluation.clauses import split_clauses
from hf_arae.evaluation.joint_score import joint_scores
from hf_arae.evaluation.paired_tests import Resampling
from hf_arae.evaluation.real_or_output import RealOrOutputProbe
from hf_arae.evaluation.transfer_pictures import draw_trade_off, frontier
from hf_arae.metrics import Bleu


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("the food was good , bad service !", ["the food was good ,", "bad service !"]),
        ("great , thanks !", ["great , thanks !"]),
        ("very rude and helpful .", ["very rude and helpful ."]),
        ("the soup was good and the staff was rude .", ["the soup was good", "and the staff was rude ."]),
        ("i came , but it was closed ... never again .", ["i came ,", "but it was closed ...", "never again ."]),
        ("and so it goes on here", ["and so it goes on here"]),
        ("", []),
        ("!", ["!"]),
    ],
)
def test_clauses_have_words_on_both_sides(text, clauses):
    assert split_clauses(text) == clauses and " ".join(split_clauses(text)) == text


def test_intervals_hold_the_number_and_get_narrower_with_more_sentences():
    source, widths = np.random.default_rng(0), []
    for size in (50, 800):
        values = 100.0 * (source.random(size) < 0.7)
        low, high = Resampling(size).mean(values, range(size))
        assert low < values.mean() < high and Resampling(size).mean(values, range(size)) == (low, high)
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.3), "as the root of their number"


def test_the_bleu_of_a_resample_is_the_metric_of_its_sentences():
    drawing = random.Random(0)
    texts = [" ".join(drawing.choices(["a", "b", "c", "d", "e", "f"], k=drawing.randrange(1, 9))) for _ in range(60)]
    references = [[" ".join(drawing.sample(text.split(), len(text.split()))), text[2:] or "a"] for text in texts]
    resampling = Resampling(60, resamples=1)
    rows = [row for row, times in enumerate(resampling._counts[0].astype(int)) for _ in range(times)]
    expected = Bleu().compute(predictions=[texts[r] for r in rows], references=[references[r] for r in rows])["bleu"]
    assert resampling.bleu(texts, references, range(60)).low == pytest.approx(expected, rel=1e-6)


def test_differences_are_tested_in_pairs():
    source = np.random.default_rng(1)
    theirs = 100.0 * (source.random(400) < 0.5)
    ours = np.maximum(theirs, 100.0 * (source.random(400) < 0.05))  # never worse, in a few sentences better
    resampling, everywhere = Resampling(400), list(range(400))
    found = resampling.difference(ours, everywhere, theirs, everywhere)
    assert found.value == pytest.approx(ours.mean() - theirs.mean(), rel=1e-5) and found.p < 0.02
    assert 0 < found.interval.low < found.value < found.interval.high
    same = resampling.difference(ours, everywhere, ours, everywhere)
    assert same.value == 0 and same.p == 1 and same.interval == (0, 0)
    backwards = resampling.difference(ours[::-1], everywhere[::-1], theirs, everywhere)
    assert backwards == found, "sentences are paired by their places"
    assert resampling.difference(ours[:10], everywhere[:10], theirs, everywhere).sentences == 10
    with pytest.raises(ValueError, match="no sentence in common"):
        resampling.difference(ours[:5], everywhere[:5], theirs[5:], everywhere[5:])


def test_a_probe_finds_what_real_sentences_never_have_and_nothing_in_real_ones():
    drawing = random.Random(0)

    def written(count: int, mark: str = "") -> list[str]:
        return [" ".join(drawing.choices(["a", "b", "c", "d", "e", "f", "g", "h"], k=7)) + mark for _ in range(count)]

    targets = [0, 1] * 100
    probe = RealOrOutputProbe({0: written(400), 1: written(400)}, targets)
    assert abs(probe.auc(written(200), targets) - 50) < 10
    assert probe.auc(written(200, " zzz"), targets) > 99
    assert probe.auc(["a b"] * 200, targets) is not None, "a system that always says the same"
    assert probe.auc(written(4), [0] * 4) is None
    outputs = written(200)
    assert probe.auc(outputs, targets) == probe.auc(outputs, targets)


def test_all_must_hold_at_once():
    yes, content, fluency = np.full(4, True), np.array([0.2, 1.0, 1.0, 1.0]), np.array([0.0, -3.0, 0.5, 0.5])
    differs = np.array([True, True, False, True])
    assert joint_scores(yes, differs, content, fluency).tolist() == [False, False, False, True]
    assert not joint_scores(~yes, differs, content, fluency).any()


def test_the_frontier_is_of_what_nobody_beats_in_both():
    points = [(10.0, 90.0), (20.0, 90.0), (30.0, 50.0), (25.0, 60.0), (20.0, 80.0), (5.0, 95.0)]
    assert frontier(points) == [(5.0, 95.0), (20.0, 90.0), (25.0, 60.0), (30.0, 50.0)]


def test_a_picture_is_drawn_where_matplotlib_is(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [
        {"system": f"runs/a$b-{at}", "transfer_accuracy": 80.0 + at, "source_bleu": 60.0 - at / 9} for at in range(9)
    ]
    rows[0]["reference_bleu"] = 20.0
    assert draw_trade_off(rows, tmp_path / "picture.png", ["runs/a$b-0"], ["runs/a$b-1"])
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    assert draw_trade_off(rows[:1], tmp_path / "one.png", ["runs/a$b-0"]), "without a frontier"
