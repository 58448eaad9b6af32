"""Which submodules of a model give a sequence of features, and how such an output is taken and replaced."""

from __future__ import annotations

import inspect
from collections.abc import Container
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

_PROBE = (2, 5)  # sequences and tokens that are read to find out
_MAX_NAMED = 30


def features_of(output: Any) -> Tensor | None:
    """The features in a submodule's output: itself, its `last_hidden_state`, or the first part of a tuple."""
    if isinstance(output, ModelOutput):
        output = output.get("last_hidden_state")
    elif isinstance(output, (tuple, list)) and output:
        output = output[0]
    return output if isinstance(output, Tensor) and output.dim() == 3 and output.is_floating_point() else None


def with_features(output: Any, features: Tensor) -> Any:
    """The same output with other features."""
    if isinstance(output, Tensor):
        return features
    if isinstance(output, ModelOutput):
        return type(output)(**{**output, "last_hidden_state": features})
    if hasattr(output, "_replace"):  # a named tuple
        return output._replace(**{output._fields[0]: features})
    return type(output)((features, *output[1:]))


def reading_argument(model: nn.Module, name: str | None = None, pictures: bool = False) -> str:
    """The argument of `model.forward` that takes the token ids, or the images.

    Args:
        name: as the user says; `None`: a transformers model's main input, of others the first argument.
        pictures: it is to take images.

    Raises:
        ValueError: there is no such argument, or it takes something else.
    """
    accepted = list(inspect.signature(model.forward).parameters)
    if name is None:
        name = getattr(model, "main_input_name", None)
        name = name if name in accepted else next(iter(accepted), None)
    if name not in accepted:
        raise ValueError(f"{type(model).__name__}.forward has no argument {name!r}; it has {', '.join(accepted)}")
    if pictures and name in ("input_ids", "input_features", "input_values"):
        raise ValueError(f"{type(model).__name__} reads {name}: graphs over images have no place in it")
    if not pictures and name in ("pixel_values", "input_features", "input_values"):
        raise ValueError(f"{type(model).__name__} reads {name}: graphs over words have no place in it")
    return name


@torch.no_grad()
def probe(
    model: nn.Module, reads: str, example: dict[str, Any] | None = None, lengths: Container[int] | None = None
) -> tuple[dict[str, int], str | None]:
    """Runs a model once, in evaluation mode, to see what its submodules give.

    Args:
        model: stays as it was, random generators included.
        reads: the argument that takes token ids, or images.
        example: arguments of the run; `None`: two sequences of five tokens, and nothing else.
        lengths: those that a sequence may have; `None`: that of the token ids.

    Returns:
        Widths of the sequences that submodules give, by their names; and what went wrong on the way, if anything did.
    """
    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    if example is None:
        ids = torch.arange(1, 1 + _PROBE[0] * _PROBE[1], device=device).view(_PROBE)
        example = {reads: ids % (vocabulary_size(model) or 8)}
    (rows, length), widths, handles = example[reads].shape[:2], {}, []
    lengths = (length,) if lengths is None else lengths
    names: dict[nn.Module, str] = {}
    for name, module in model.named_modules():
        if name and not name.startswith("attached_graphs"):
            names[module] = name

    def look(module: nn.Module, _: Any, output: Any) -> None:
        features = features_of(output)
        turned = isinstance(module, nn.RNNBase) and not module.batch_first
        if features is not None and len(features) == rows and features.shape[1] in lengths and not turned:
            widths[names[module]] = features.shape[2]

    modes = {module: module.training for module in model.modules()}
    wrong = None
    try:
        model.eval()
        handles = [module.register_forward_hook(look) for module in names]
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            model(**example)
    except Exception as error:  # whatever the model says; what came before it is known
        wrong = f"{type(error).__name__}: {error}"
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
    return widths, wrong


def vocabulary_size(model: nn.Module) -> int | None:
    """How many tokens a model knows, if it has a table of them; of a torch model, the first one."""
    table = next((one for one in model.modules() if isinstance(one, nn.Embedding)), None)
    if hasattr(model, "get_input_embeddings"):
        with suppress(NotImplementedError):  # not every class says
            table = model.get_input_embeddings()
    return getattr(table, "num_embeddings", None)


def find_place(model: nn.Module, at: str) -> str:
    """The whole name of a submodule.

    Args:
        at: its name, in the model or in its base model. `"embeddings"` is, where no submodule has that name, the table
            of words.

    Raises:
        ValueError: there is no such submodule.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    prefix = getattr(model, "base_model_prefix", "")
    for name in (at, f"{prefix}.{at}"):
        if name in modules:
            return name
    if at == "embeddings" and hasattr(model, "get_input_embeddings"):
        table = model.get_input_embeddings()
        found = next((name for name, module in modules.items() if module is table), None)
        if found is not None:
            return found
    raise ValueError(f"{type(model).__name__} has no submodule {at!r}")


def named(widths: dict[str, int]) -> str:
    """Submodules that give a sequence, for a message."""
    listed = [f"{name} ({width})" for name, width in widths.items()]
    more = f" and {len(listed) - _MAX_NAMED} more" if len(listed) > _MAX_NAMED else ""
    return (", ".join(listed[:_MAX_NAMED]) or "none") + more


__all__ = [
    "features_of",
    "find_place",
    "named",
    "probe",
    "reading_argument",
    "vocabulary_size",
    "with_features",
]
