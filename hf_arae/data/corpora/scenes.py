"""The built-in corpus of pairs: scenes, and what follows from them, may be so, or cannot be so.

It needs no network and no files, so that examples and tests run anywhere. Whether a sentence follows from a scene or
contradicts it can be told from the two together alone: by itself each of them is as likely to be either.
"""

from __future__ import annotations

import random

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

LABELS = ["entailment", "neutral", "contradiction"]
SPLIT_SIZES = {"train": 6_000, "validation": 600, "test": 600}

# Who, and as what a hypothesis may name them.
_PEOPLE = (
    ("a man", "a person"),
    ("a woman", "a person"),
    ("a young man", "a man"),
    ("an old woman", "a woman"),
    ("a girl", "a child"),
    ("a boy", "a child"),
    ("a tall man", "someone"),
    ("a little girl", "a girl"),
)
_CLOTHES = tuple(
    (f"{colour} {thing}", colour)
    for colour in ("red", "blue", "green", "yellow", "black", "white")
    for thing in ("jacket", "hat", "shirt", "sweater")
)
# What they do, and what that is an instance of.
_DEEDS = (
    ("playing a guitar", "making music"),
    ("playing the violin", "making music"),
    ("singing a song", "making music"),
    ("kicking a ball", "doing sports"),
    ("lifting weights", "doing sports"),
    ("climbing a wall", "doing sports"),
    ("eating a sandwich", "having a meal"),
    ("eating noodles", "having a meal"),
    ("drinking soup", "having a meal"),
    ("painting a picture", "making art"),
    ("carving wood", "making art"),
    ("drawing a face", "making art"),
)
_PLACES = (
    ("on a street", "outside"),
    ("in a park", "outside"),
    ("on a beach", "outside"),
    ("in a garden", "outside"),
    ("in a kitchen", "inside"),
    ("in a living room", "inside"),
    ("in a hallway", "inside"),
    ("in an office", "inside"),
)
# Nothing in a scene says whether they are so.
_UNKNOWN = (
    "is waiting for a friend",
    "is thinking about work",
    "has two brothers",
    "will go home soon",
    "is doing this for a film",
    "lives in this town",
    "has won a prize",
    "is very tired",
)


def _pair(source: random.Random, label: str) -> tuple[str, str]:
    who, kind = source.choice(_PEOPLE)
    clothes, colour = source.choice(_CLOTHES)
    deed, instance = source.choice(_DEEDS)
    place, side = source.choice(_PLACES)
    premise = f"{who} in a {clothes} is {deed} {place} ."
    name = source.choice((who, kind))
    if label == "neutral":
        return premise, f"{name} {source.choice(_UNKNOWN)} ."
    about = source.randrange(3)
    true = (f"is {instance}", f"is {side}", f"wears something {colour}")[about]
    if label == "entailment":
        return premise, f"{name} {true} ."
    others = (
        sorted({f"is {other}" for _, other in _DEEDS}),
        sorted({f"is {other}" for _, other in _PLACES}),
        sorted({f"wears something {other}" for _, other in _CLOTHES}),
    )[about]
    return premise, f"{name} {source.choice([other for other in others if other != true])} ."


def build_scenes(sizes: dict[str, int] | None = None, seed: int = 0) -> DatasetDict:
    """Writes the corpus: columns `premise`, `hypothesis` and `label` (of `LABELS`, as many of each).

    A pair is in one split only, though its sentences may be in several.

    Args:
        sizes: pairs of each split; `SPLIT_SIZES` if `None`.
        seed: of all choices.
    """
    source, seen, splits = random.Random(seed), set(), {}
    features = Features({"premise": Value("string"), "hypothesis": Value("string"), "label": ClassLabel(names=LABELS)})
    for split, size in (sizes or SPLIT_SIZES).items():
        rows: list[dict] = []
        while len(rows) < size:
            label = len(rows) % len(LABELS)
            pair = _pair(source, LABELS[label])
            if pair not in seen:
                seen.add(pair)
                rows.append({"premise": pair[0], "hypothesis": pair[1], "label": label})
        splits[split] = Dataset.from_list(rows, features=features)
    return DatasetDict(splits)
