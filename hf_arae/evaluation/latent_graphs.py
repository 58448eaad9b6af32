"""What latent graphs over words have learned: what they tell of the next words, and where their edges lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.data.text.windows import window_arrays
from hf_arae.metrics.numbers import Number
from hf_arae.nn.graphs import column_counts
from hf_arae.training.results import Evaluation
from hf_arae.utils.display import ShownList, shown
from hf_arae.utils.distributed import gather_rows, rows_of_this_process

_BATCH = 32
_DIRECTIONS = ("forward", "backward")
_BEST = "Of the {}, the share whose strongest edge in the {} graph of the best head lies on {}; higher is better."
_MEAN = "Likewise, in the mean of all layers' and heads' graphs."

NUMBERS = {
    "next_words_nll": Number(
        "-log p of the next words (nats a word)",
        "How badly each word of held-out text tells the next D, read forwards, and the D before, read backwards; "
        "lower is better.",
        in_metadata=True,
    ),
    "next_word_nll": Number(
        "-log p of the next word (nats)", "The same of the very next word alone, whatever D is; lower is better."
    ),
    "sentence_nll": Number(
        "-log p of the other half (nats a word)",
        "How badly the mean feature of a text's first half tells its second one, and mirrored; lower is better.",
    ),
    "edges": Number("Edges a column", "How many other words a word draws more than a thousandth from, on average."),
    "empty_columns": Number("Empty columns (%)", "Words that draw from no other one, though there are some."),
    "closers_right": Number(
        "Closers that draw from their openers (%)",
        _BEST.format("closers", "forward", "the opener's ending"),
        in_metadata=True,
    ),
    "openers_right": Number(
        "Openers that draw from their closers (%)", _BEST.format("openers", "backward", "the closer's first word")
    ),
    "verbs_right": Number(
        "Verbs that draw from their subjects (%)", _BEST.format("verbs", "forward", "the subject"), in_metadata=True
    ),
    "subjects_right": Number(
        "Subjects that draw from their verbs (%)", _BEST.format("subjects", "backward", "the verb")
    ),
    "closers_right_in_mean": Number("Closers that draw from their openers, in the mean graph (%)", _MEAN),
    "openers_right_in_mean": Number("Openers that draw from their closers, in the mean graph (%)", _MEAN),
    "verbs_right_in_mean": Number("Verbs that draw from their subjects, in the mean graph (%)", _MEAN),
    "subjects_right_in_mean": Number("Subjects that draw from their verbs, in the mean graph (%)", _MEAN),
}
# What the two ends of a bond are called.
_ENDS = {"brackets": ("openers", "closers"), "clauses": ("subjects", "verbs")}


class GraphEvaluator:
    """Evaluator for the loop, for a [`~hf_arae.models.glomo.modeling_glomo_pretraining.GlomoForPreTraining`].

    Metrics:
        `next_words_nll`, `next_word_nll`, or `sentence_nll` of a model that predicts sentences: -log p, nats a word;
        `edges`, `empty_columns` (%): how sparse the graphs are;
        `closers_right`, `openers_right`, `verbs_right`, `subjects_right` (%): of the made-up language, whether the
            strongest edge of a bond's half lies on the word of its other half that it needs, in the graph of the
            layer and head where that is so most often;
        `closers_right_in_mean`, ...: likewise, in the mean of all layers' and heads' graphs.

    Samples are the strongest edges of the first texts.

    Args:
        tokenizer: the model's.
        texts: held-out texts of any length; they are read in windows.
        bonds: of the made-up language, by kind, each text's bonds; see `build_agreement`. A text with bonds must fit
            into a window.
        num_printed: texts whose strongest edges are shown.

    Raises:
        ValueError: no text holds a word, or one with bonds is longer than a window.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        texts: Sequence[str],
        bonds: Mapping[str, Sequence[Sequence[Sequence[int]]]] | None = None,
        num_printed: int = 3,
    ):
        self.tokenizer, self.texts, self.bonds, self.num_printed = tokenizer, list(texts), bonds, num_printed
        self.windows = window_arrays(self.texts, tokenizer, "held-out")
        if bonds and len(self.windows) != len(self.texts):
            raise ValueError(
                f"texts with bonds must fit into one window of {tokenizer.model_max_length} tokens each: "
                f"{len(self.texts)} texts gave {len(self.windows)} windows"
            )

    @torch.no_grad()
    def __call__(self, model: PreTrainedModel) -> Evaluation:
        """Measures a model in evaluation mode; every process takes its share of the windows."""
        batches, training = self._batches(), model.training
        model.eval()
        try:
            mine = [self._sums(model, batches[number]) for number in rows_of_this_process(len(batches))]
            samples = []
            for text in self.texts[: self.num_printed]:
                lines = (_line(edge) for edge in strongest_edges(model, self.tokenizer, text))
                samples += [text, *(f"    {line}" for line in lines)]
        finally:
            model.train(training)
        sums: dict[str, list[float]] = {}
        for part in gather_rows(mine, len(batches)):
            for name, (total, count) in part.items():
                known = sums.setdefault(name, [0.0, 0.0])
                known[0] += total
                known[1] += count
        metrics: dict[str, float] = {}
        for name, (total, count) in sums.items():
            name = name.partition(":")[0]  # of each head
            metrics[name] = max(metrics.get(name, 0.0), total / max(1.0, count))
        return Evaluation(metrics, samples)

    def _batches(self) -> list[list[int]]:
        """Rows of like length together."""
        order = sorted(range(len(self.windows)), key=lambda row: int(self.windows.lengths[row]))
        return [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]

    def _sums(self, model: PreTrainedModel, rows: list[int]) -> dict[str, tuple[float, float]]:
        """Of each metric, its sum over a batch and how much that is the sum of."""
        batch = {name: part.to(model.device) for name, part in self.windows.__getitems__(rows).items()}
        found: dict[str, tuple[float, float]] = {}
        if model.config.predicts == "units":
            losses = model.unit_losses(**batch).double()
            for name, part in (("next_words_nll", losses), ("next_word_nll", losses[..., 0])):
                found[name] = (part.nansum().item(), part.isfinite().sum().item())
        else:
            parts = model.predictions(**batch).values()
            found["sentence_nll"] = (sum(part.total.item() for part in parts), sum(part.count for part in parts))
        counts, heads = torch.zeros(3, dtype=torch.float64), []
        allowed = model.allowed_edges(**batch).unsqueeze(2).flatten(0, 1)
        for layer in model.layer_graphs(**batch):
            counts += torch.stack(column_counts(layer.flatten(0, 1), allowed)).double().cpu()
            heads += layer.unbind(2) if self.bonds else []
        columns, empty, edges = counts.tolist()
        found |= {"edges": (edges, columns), "empty_columns": (100 * empty, columns)}
        for kind, ends in _ENDS.items() if self.bonds else ():
            bonds = [(row, *bond) for row, text in enumerate(rows) for bond in self.bonds[kind][text]]
            if not bonds:
                continue
            row, *places = torch.tensor(bonds, device=model.device).T
            first, opened, closing, last = (place + 1 for place in places)  # behind <bos>
            for direction, (end, source, column) in enumerate(((1, opened, last), (0, closing, first))):
                drawn = [head[row, direction, :, column] for head in heads]
                names = {f"_right:{number}": one for number, one in enumerate(drawn)}
                for name, one in (names | {"_right_in_mean": sum(drawn)}).items():
                    found[f"{ends[end]}{name}"] = (100 * strongest(one, source).sum().item(), len(bonds))
        return found


def strongest(columns: Tensor, source: Tensor) -> Tensor:
    """Whether each column's largest entry is the one that is named, `(rows,)` in [0, 1].

    Where several are the largest, it is the share of the one among them; in an empty column 0.

    Args:
        columns: `(rows, T)`.
        source: `(rows,)` int64.
    """
    largest = (columns == columns.amax(1, keepdim=True)) & (columns > 0)
    return largest.gather(1, source.unsqueeze(1)).squeeze(1) / largest.sum(1).clamp(min=1)


def strongest_edges(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, count: int = 8
) -> ShownList:
    """The strongest edges between the words of a text, as a table; not those of a word with one other to draw from.

    Args:
        model: has `layer_graphs` and `allowed_edges`.
        tokenizer: the model's.
        text: what is longer than the tokenizer's limit is cut off.
        count: how many edges.

    Returns:
        Rows with `direction` ("forward" or "backward"), `layer` and `head` from 1 on, `word` that draws from another,
        `place` of it, that other one, `source`, with its `source_place`, and `weight`; the strongest first. Places
        count from 0, `<bos>`.
    """
    inputs = tokenizer([text], truncation=True, return_tensors="pt").to(model.device)
    words = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    rows = []
    with torch.no_grad():
        choice = model.allowed_edges(**inputs)[0].sum(-2, keepdim=True).unsqueeze(1) > 1
        for layer, graphs in enumerate(model.layer_graphs(**inputs), 1):
            weights, places = (graphs[0] * choice).flatten().sort(descending=True, stable=True)
            size = (*graphs.shape[1:],)
            for weight, place in zip(weights[:count].tolist(), places[:count].tolist(), strict=True):
                direction, head, source, at = (int(part) for part in torch.unravel_index(torch.tensor(place), size))
                if weight > 0:
                    rows.append(
                        {
                            "direction": _DIRECTIONS[direction],
                            "layer": layer,
                            "head": head + 1,
                            "word": words[at],
                            "place": at,
                            "source": words[source],
                            "source_place": source,
                            "weight": round(weight, 4),
                        }
                    )
    rows.sort(key=lambda row: -row["weight"])
    return shown(rows[:count])


def _line(edge: Mapping[str, object]) -> str:
    return (
        f"{edge['word']} ({edge['place']}) draws {edge['weight']:.2f} from {edge['source']} ({edge['source_place']}), "
        f"{edge['direction']}, layer {edge['layer']}, head {edge['head']}"
    )


__all__ = ["GraphEvaluator", "strongest", "strongest_edges"]
