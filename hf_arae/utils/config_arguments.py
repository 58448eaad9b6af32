"""Flags for the sizes and switches of a model, from its config class."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import MISSING, field, fields, make_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin


def config_arguments(config: type, without: Sequence[str] = ()) -> type:
    """A dataclass of the sizes and switches of a model that one may choose, from the model's config class.

    They are the fields that the class and its bases below transformers' own declare, without those that the class
    lists in `not_chosen`: the data, the tokenizer or the training give them. The helps are the docstrings' `Args`.

    Args:
        config: a config class.
        without: more fields to leave out.
    """
    hints, helps, found = {}, {}, []
    for base in reversed([base for base in config.__mro__ if hasattr(base, "not_chosen")]):
        hints |= inspect.get_annotations(base, eval_str=True)
        helps |= documented(base)
    for one in fields(config):
        if one.name not in hints or one.name in config.not_chosen or one.name in without:
            continue
        default = {"default": one.default} if one.default is not MISSING else {"default_factory": one.default_factory}
        metadata = {"help": helps.get(one.name, "")}
        found.append((one.name, simple_type(hints[one.name]), field(**default, metadata=metadata)))
    return make_dataclass(f"{config.__name__}Arguments", found)


def documented(cls: type) -> dict[str, str]:
    """What a class's docstring says of each of its `Args`."""
    _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:\n")
    listed = re.split(r"\n(?=\S)", listed)[0]
    found = {}
    for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n        .*)*)", listed, re.MULTILINE):
        text = re.sub(r"\[`(?:~[\w.]*\.)?([\w.]+)`\]", r"\1", text)  # a link is its name, or that of its last part
        text = " ".join(text.replace("`", "").split())
        if re.match("[a-z]+[ ,]", text):  # a word, and no symbol
            text = text[0].upper() + text[1:]
        found |= dict.fromkeys(names.split(", "), text)
    return found


def simple_type(hint: Any) -> Any:
    """A type as flags have it: `float | int` is float, and a list or tuple is a list."""
    if get_origin(hint) not in (Union, UnionType):
        return hint
    kinds = set(get_args(hint))
    optional = NoneType in kinds
    listed = [kind for kind in kinds if get_origin(kind) is list]
    kind = listed[0] if listed else float if float in kinds else next(iter(kinds - {NoneType}))
    return kind | None if optional else kind
