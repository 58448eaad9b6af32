"""Draws the pictures of the texts from the models in model_cards/ and a training on the built-in corpus.

    python examples/draw_pictures.py --output_dir examples/pictures

Needs `pip install -e ".[metrics,plots]"`. The steps: 1 arguments, 2 the training's curves, 3 a map of reviews' codes,
4 a map of captions' codes with an interpolation, 5 transfers. All sentences are written here or by the built-in
corpus. The training, a few minutes, is left out where `--run` has been trained before.
"""

from __future__ import annotations

import difflib
import io
import itertools
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, pipeline

from hf_arae import LatentSpace
from hf_arae.data.corpora.reviews import LABELS, build_reviews
from hf_arae.evaluation.latent_pictures import map_codes
from hf_arae.latent.paths import interpolation
from hf_arae.utils.command_line import read_command_line, run_script

CARDS = Path(__file__).parents[1] / "model_cards"
TRAINING = ("--eval_steps", "55", "--logging_steps", "5")
# Told apart with every kind of colour blindness (Okabe and Ito); a second sign, a marker or a word, says the same.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9"
COLOURS, MARKERS = (BLUE, ORANGE, GREEN, PURPLE, SKY), "o^sDv"
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
DPI, MAX_BYTES = 160, 120_000

PEOPLE = ("a man", "a woman", "two men", "a young boy", "a little girl", "two children", "a group of people")
CLOTHES = ("", " in red", " with a hat", " in a white shirt")
DEEDS = {
    "music": ("playing the guitar", "singing on a stage", "dancing to music"),
    "water": ("swimming in a pool", "surfing a wave", "jumping into a lake"),
    "food": ("cooking in a kitchen", "eating at a table", "drinking coffee"),
    "street": ("riding a bike", "walking down the street", "waiting for a bus"),
    "mountains": ("skiing down a hill", "hiking on a trail", "climbing a mountain"),
}
ENDS = ("a group of people is singing on a stage .", "a young boy is walking down the street .")

SENTENCES = (
    "The service was slow.",
    "My haircut was awful.",
    "I will never come back here.",
    "The chicken was dry and had no flavor.",
    "I love this place, the coffee is great.",
    "Overall it was a great experience.",
    "The waiter was very friendly and helpful.",
    "The prices are fair and the portions are huge.",
)


@dataclass
class ScriptArguments:
    """What belongs to this script."""

    output_dir: str = field(default="examples/pictures", metadata={"help": "The pictures go into this folder."})
    run: str = field(
        default="runs/pictures", metadata={"help": "The curves are of this training, which is run if it is not there."}
    )
    seed: int = field(default=0, metadata={"help": "This number decides on the maps."})


def save(figure: Figure, picture: Path) -> None:
    """Writes a PNG with a palette: a quarter of the size, and to the eye the same."""
    raw = io.BytesIO()
    figure.savefig(raw, dpi=DPI, facecolor="white")
    image = Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(picture, optimize=True)
    size = picture.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{picture} has {size} bytes, more than {MAX_BYTES}")
    print(f"{picture}: {size / 1000:.0f} kB, {image.width} x {image.height}")


def train(run: Path) -> None:
    """The README's first training, with more evaluations."""
    script = Path(__file__).with_name("train_style_transfer.py")
    subprocess.run([sys.executable, str(script), "--output_dir", str(run), *TRAINING], check=True)


def draw_training(log_file: Path) -> Figure:
    """What the autoencoder, the players of the game and the held-out sentences do over a training."""
    lines = [json.loads(line) for line in log_file.read_text(encoding="utf-8").splitlines()]
    panels = {
        "Rebuilding sentences": ("nats a word", {"autoencoder/loss": "training sentences"}),
        "The game on codes": ("critic's distance", {"critic/wasserstein_distance": "sentences from generated"}),
        "Held-out sentences": (
            "%",
            {
                "eval/transfer_accuracy": "reach the other label",
                "eval/source_bleu": "BLEU to the source",
                "eval/reconstruction_bleu": "BLEU when rebuilt",
            },
        ),
    }
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    for axes, (title, (unit, names)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for (name, label), colour, marker in zip(names.items(), COLOURS, MARKERS, strict=False):
            points = [(line["step"], line[name]) for line in lines if name in line]
            sparse = {"marker": marker, "markersize": 3.5} if len(points) < 50 else {}
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.4, label=label, **sparse)
        axes.set(title=title, xlabel="updates", ylabel=unit)
        axes.set_ylim(bottom=0)
        if len(names) > 1:
            axes.legend(fontsize=8)
    return figure


def scatter(axes: Axes, places: np.ndarray, labels: list[str], title: str) -> None:
    """Points in two dimensions, a colour and a marker a label."""
    for label, colour, marker in zip(sorted(set(labels)), COLOURS, MARKERS, strict=False):
        rows = [row for row, other in enumerate(labels) if other == label]
        axes.scatter(*places[rows].T, s=9, color=colour, marker=marker, linewidths=0, alpha=0.75, label=label)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def draw_reviews(latent: LatentSpace, seed: int, num_pairs: int = 6) -> Figure:
    """A map of reviews' codes, coloured by label, and pairs of neighbours with different labels written out."""
    corpus = build_reviews()["test"]
    texts, labels = corpus["text"][:], [LABELS[label] for label in corpus["label"]]
    codes = latent.encode(texts)
    places, codes = map_codes(codes, seed), functional.normalize(codes, dim=1)
    cosines = (codes @ codes.T).fill_diagonal_(-1)
    nearest = cosines.argmax(1).tolist()
    same = 100 * np.mean([labels[row] == labels[other] for row, other in enumerate(nearest)])
    print(f"the nearest neighbour has the same label for {same:.1f} % of {len(texts)} reviews")

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes, side = figure.subplots(1, 2, width_ratios=(1.35, 1))
    scatter(axes, places, labels, "Codes of reviews, by label")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, markerscale=2, handletextpad=0.2)
    lines, taken = [], []
    for row in cosines.max(1).values.argsort(descending=True).tolist():
        other, place = nearest[row], places[row]
        apart = all(np.hypot(*(place - before)) > 0.25 * np.ptp(places[:, 0]) for before in taken)
        if labels[row] != labels[other] and cosines[row, other] < 0.999 and apart and len(taken) < num_pairs:
            taken.append(place)
            pair = sorted((row, other), key=labels.__getitem__)  # in the legend's order
            lines.append([f"{sign} {texts[one]}" for sign, one in zip("\u25cf\u25b2", pair, strict=True)])
    write_beside(axes, side, "Nearest neighbours of different labels", taken, lines, COLOURS[:2])
    return figure


def draw_captions(latent: LatentSpace, seed: int) -> Figure:
    """A map of made-up captions' codes, and on it the way between two captions with what is written there."""
    texts, topics, deeds = [], [], []
    for (topic, done), person, clothes in itertools.product(DEEDS.items(), PEOPLE, CLOTHES):
        for deed in done:
            texts.append(f"{person}{clothes} {'are' if person.startswith('two') else 'is'} {deed} .")
            topics.append(topic)
            deeds.append(deed)
    codes, path = latent.encode(texts), interpolation(*(latent.encode(end) for end in ENDS), 65)[0]
    places = map_codes(codes, seed)
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes, side = figure.subplots(1, 2, width_ratios=(1.7, 1))
    scatter(axes, places, topics, "Codes of captions, by topic")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=5, markerscale=2, handletextpad=0.2)
    # t-SNE has no place for other codes: the way is drawn straight, and its sentences stand on it at equal distances.
    begin, end = (places[texts.index(text)] for text in ENDS)
    axes.plot(*zip(begin, end, strict=True), color="black", linewidth=1.2)
    written = [text for text, _ in itertools.groupby(latent.decode(path))]
    spots = [begin + part * (end - begin) for part in np.linspace(0, 1, len(written))]
    write_beside(axes, side, "What is written along the line", spots, [[text] for text in written], ("black",))
    name_clusters(axes, places, deeds)
    return figure


def name_clusters(axes: Axes, places: np.ndarray, names: list[str]) -> None:
    """Writes each name beside its points, where least else stands."""
    axes.margins(0.08)  # room for names at the border
    axes.figure.draw_without_rendering()  # settles the layout, which tells where things stand
    taken = [text.get_bbox_patch().get_window_extent() for text in axes.texts]
    frame, points = axes.get_window_extent(), axes.transData.transform(places)
    for name in dict.fromkeys(names):
        cluster = places[[row for row, other in enumerate(names) if other == name]]
        x, y = np.median(cluster, axis=0)
        near = cluster[np.hypot(*(cluster - (x, y)).T) < 0.2 * np.ptp(places[:, 1])]  # without strays
        (left, bottom), (right, top) = near.min(0) - 1.5, near.max(0) + 1.5
        text, choices = axes.text(x, y, name, fontsize=7.5, color="#333333", in_layout=False), []
        for place in (
            (x, top, "center", "bottom"),
            (x, bottom, "center", "top"),
            (left, y, "right", "center"),
            (right, y, "left", "center"),
        ):
            look = dict(zip(("x", "y", "ha", "va"), place, strict=True))
            text.set(**look)
            box = text.get_window_extent()
            outside = not (frame.x0 <= box.x0 and box.x1 <= frame.x1)
            covers = 20 * (outside + box.count_overlaps(taken)) + box.count_contains(points)
            choices.append((covers, len(choices), look))
        text.set(**min(choices)[2])
        taken.append(text.get_window_extent())


def write_beside(
    axes: Axes, side: Axes, title: str, spots: list[np.ndarray], lines: list[list[str]], colours: tuple[str, ...]
) -> None:
    """Numbers spots of a map and writes their sentences beside it."""
    side.axis("off")
    side.set_title(title)
    y = 0.94
    badge = {"ha": "center", "va": "center", "fontsize": 7, "weight": "bold", "color": "white"}
    badge["bbox"] = {"boxstyle": "circle,pad=0.25", "color": "black"}
    for number, (spot, sentences) in enumerate(zip(spots, lines, strict=True), start=1):
        axes.text(*spot, str(number), **badge)
        side.text(0.02, y, str(number), transform=side.transAxes, **badge)
        for sentence, colour in zip(sentences, colours, strict=True):
            side.text(0.07, y, sentence, fontsize=8.5, color=colour, va="center", transform=side.transAxes)
            y -= 0.055
        y -= 0.055


def changed(words: list[str], others: list[str]) -> list[bool]:
    """Which words do not stand in the same order in the other sentence."""
    same = difflib.SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks()
    kept = {block.a + offset for block in same for offset in range(block.size)}
    return [place not in kept for place in range(len(words))]


def write_words(
    axes: Axes, x: float, y: float, words: list[str], marked: list[bool], colours: tuple[str, str]
) -> None:
    """A line of words, the marked ones bold on a coloured ground."""
    begin = x
    for word, is_marked in zip(words, marked, strict=True):
        look = {"weight": "bold", "color": colours[0]} if is_marked else {}
        x += 0.07 if word[0].isalnum() and x > begin else 0.02
        text = axes.text(x, y, word, va="baseline", fontsize=10, **look)
        width = axes.transData.inverted().transform(text.get_window_extent())[:, 0]
        if is_marked:
            text.set_bbox({"boxstyle": "round,pad=0.15", "color": colours[1]})
        x = width[1]


def draw_transfers(results: list[dict]) -> Figure:
    """Sentences and their transfers, changed words marked on both sides."""
    figure = Figure(figsize=(9, 3.15), dpi=DPI)  # words are measured in dots
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 9), ylim=(3.15, 0))
    axes.axis("off")
    y = -0.05
    for label, group in itertools.groupby(zip(SENTENCES, results, strict=True), lambda pair: pair[1]["source"]):
        y += 0.3
        axes.text(0.15, y, label, fontsize=9, color="#555555", style="italic")
        axes.text(
            4.55, y, "positive" if label == "negative" else "negative", fontsize=9, color="#555555", style="italic"
        )
        axes.plot((0.15, 8.85), (y + 0.09, y + 0.09), color="#BBBBBB", linewidth=0.8)
        for source, result in group:
            y += 0.3
            words, written = (re.findall(r"[\w']+|[^\w\s]", text) for text in (source, result["text"]))
            write_words(axes, 0.15, y, words, changed(words, written), ("#8C3B00", "#FBE0CF"))
            axes.text(4.2, y, "\u2192", fontsize=11, color="#555555", ha="center")
            write_words(axes, 4.55, y, written, changed(written, words), ("#00507D", "#D3E7F5"))
    return figure


def load(name: str, attribute: int | None = None) -> LatentSpace:
    folder = CARDS / name
    return LatentSpace(AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder), attribute)


def main() -> None:
    # 1. Arguments
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    folder, run = Path(script.output_dir), Path(script.run)
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        # 2. The training's curves
        if not (run / "metrics.json").is_file():
            train(run)
        save(draw_training(run / "training_log.jsonl"), folder / "training.png")

        # 3. A map of reviews' codes
        save(draw_reviews(load("arae-yelp", attribute=1), script.seed), folder / "codes-reviews.png")

        # 4. A map of captions' codes with an interpolation
        save(draw_captions(load("arae-flickr30k"), script.seed), folder / "codes-captions.png")

        # 5. Transfers
        transfer = pipeline("text-style-transfer", model=str(CARDS / "arae-yelp"))
        save(draw_transfers(transfer(list(SENTENCES), batch_size=64)), folder / "transfers.png")


if __name__ == "__main__":
    run_script(main)
