"""A table of style transfers: all systems by both pairs of judges, with intervals and paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_arae.evaluation.clauses import changed_everywhere
from hf_arae.evaluation.held_out_judges import HeldOutJudges
from hf_arae.evaluation.joint_score import joint_scores
from hf_arae.evaluation.paired_tests import Difference, Interval, Resampling
from hf_arae.evaluation.real_or_output import RealOrOutputProbe
from hf_arae.evaluation.style_transfer import TransferJudges
from hf_arae.evaluation.transfer_outputs import SystemOutputs

# The numbers that systems are compared by, sentence by sentence.
COMPARED = ("joint_score", "transfer_accuracy")


@dataclass
class SystemScores:
    """What was measured of one system.

    Args:
        row: of the table: the system's name and its numbers.
        intervals: 95 %, by the number's name.
        places: of the sentences, in the evaluation.
        sentences: by the number's name, 100 or 0 for each sentence.
    """

    row: dict[str, str | float]
    intervals: dict[str, Interval]
    places: list[int]
    sentences: dict[str, np.ndarray]


class TransferTable:
    """Scores systems on the same transfers, with the same real sentences and the same resamples for all.

    Args:
        judges: trained on the training split.
        held_out: trained on half of the validation split.
        sources: the sentences that are transferred.
        labels, targets: of the sources, and what they are transferred to.
        seed: of the real sentences, the resamples and the tests.
    """

    def __init__(
        self,
        judges: TransferJudges,
        held_out: HeldOutJudges,
        sources: Sequence[str],
        labels: Sequence[int],
        targets: Sequence[int],
        seed: int = 0,
    ):
        self.judges, self.held_out = judges, held_out
        self.sources, self.labels, self.targets = judges.read(sources), list(labels), list(targets)
        real = {label: judges.read(texts) for label, texts in held_out.real.items()}
        self._probe = RealOrOutputProbe(real, self.targets, seed)
        self._resampling = Resampling(len(self.sources), seed=seed)
        self._source_fluency = _means(held_out.fluency(self.sources))

    def score(self, system: SystemOutputs) -> SystemScores:
        """Returns the numbers of [`TransferJudges.score`] and, in `row`,

        `held_out_transfer_accuracy` (%), `held_out_perplexity`, `changed_clauses` (%), `joint_score` (%) and
        `real_or_output_auc` (%; not of very few sentences).
        """
        places, outputs = system.places, self.judges.read(system.outputs)
        sources = [self.sources[place] for place in places]
        labels = [self.labels[place] for place in places]
        targets = np.array([self.targets[place] for place in places])
        written = np.array([bool(text) for text in outputs])
        first = written & (np.array(self.judges.accuracy.predict(outputs)) == targets)
        second = written & (self.held_out.probabilities(outputs).argmax(1).numpy() == targets)
        tokens = self.held_out.fluency(outputs)
        joint = joint_scores(
            style=first & second,
            differs=np.array([one != other for one, other in zip(outputs, sources, strict=True)]),
            content=np.array(self.judges.content.overlaps(outputs, sources)),
            fluency=_means(tokens) - self._source_fluency[places],
        )
        sentences = {"transfer_accuracy": 100.0 * first, "held_out_transfer_accuracy": 100.0 * second}
        sentences["joint_score"] = 100.0 * joint
        # Each number of the held-out judges stands beside the usual ones' number.
        beside = {
            "second_transfer_accuracy": ("held_out_transfer_accuracy", float(100 * second.mean())),
            "perplexity": ("held_out_perplexity", float(np.exp(-np.mean([value for one in tokens for value in one])))),
        }
        name = system.system
        row: dict[str, str | float] = {
            "system": name if len(places) == len(self.sources) else f"{name} ({len(places)} outputs)"
        }
        for number, value in self.judges.score(sources, outputs, targets.tolist(), system.references).items():
            row[number] = value
            row |= [beside.pop(number)] if number in beside else []
        row |= beside.values()
        row["changed_clauses"] = 100 * float(changed_everywhere(self.held_out, outputs, labels).mean())
        row["joint_score"] = float(sentences["joint_score"].mean())
        auc = self._probe.auc(outputs, targets.tolist())
        if auc is not None:
            row["real_or_output_auc"] = auc
        intervals = {number: self._resampling.mean(values, places) for number, values in sentences.items()}
        intervals["source_bleu"] = self._resampling.bleu(outputs, [[source] for source in sources], places)
        if system.references is not None:
            references = [self.judges.read(several) for several in system.references]
            intervals["reference_bleu"] = self._resampling.bleu(outputs, references, places)
        return SystemScores(row, intervals, list(places), sentences)

    def compare(self, ours: SystemScores, theirs: SystemScores) -> dict[str, Difference]:
        """Each of `COMPARED`, ours less theirs, over the sentences that both have."""
        return {
            number: self._resampling.difference(
                ours.sentences[number], ours.places, theirs.sentences[number], theirs.places
            )
            for number in COMPARED
        }


def interval_rows(
    table: TransferTable, scores: Sequence[SystemScores], baseline: SystemScores | None = None
) -> list[dict[str, str | float]]:
    """A row a system: the ends of its intervals and, if there is a baseline, the differences from it.

    Of a number `n` there are `n_low` and `n_high`; of one of `COMPARED` also `n_difference`, `n_difference_low`,
    `n_difference_high` and `n_p`.
    """
    rows = []
    for one in scores:
        row: dict[str, str | float] = {"system": one.row["system"]}
        for number, interval in one.intervals.items():
            row |= {number: one.row[number], f"{number}_low": interval.low, f"{number}_high": interval.high}
        if baseline is not None and one is not baseline:
            for number, found in table.compare(one, baseline).items():
                row[f"{number}_difference"] = found.value
                row[f"{number}_difference_low"], row[f"{number}_difference_high"] = found.interval
                row[f"{number}_p"] = found.p
        rows.append(row)
    return rows


def readable_intervals(rows: Sequence[dict[str, str | float]]) -> list[dict[str, str | float]]:
    """The same rows for people: a cell a number, as "84.0 (81.7 to 86.1)", and "+3.1 (1.0 to 5.2), p = 0.004"."""
    numbers = dict.fromkeys(key.removesuffix("_low") for row in rows for key in row if key.endswith("_low"))
    found = []
    for row in rows:
        cells: dict[str, str | float] = {"system": row["system"]}
        for number in numbers:
            if number not in row:
                continue
            sign = "+" if number.endswith("_difference") else ""
            p = row.get(f"{number.removesuffix('_difference')}_p") if sign else None
            cells[number] = f"{row[number]:{sign}.1f} ({row[f'{number}_low']:.1f} to {row[f'{number}_high']:.1f})"
            cells[number] += "" if p is None else f", p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
        found.append(cells)
    return found


def _means(tokens: Sequence[Sequence[float]]) -> np.ndarray:
    return np.array([np.mean(values) for values in tokens])
