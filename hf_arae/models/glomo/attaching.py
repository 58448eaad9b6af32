"""Graphs that were learned without labels, attached to anyone's model by the name of a submodule (section 7.3.2)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.models.glomo.foreign_words import ForeignWords
from hf_arae.models.glomo.graph_cache import GraphCache
from hf_arae.models.glomo.graph_reader import GraphReader
from hf_arae.models.glomo.picture_units import (
    MOST_EXTRA,
    check_grids,
    check_pictures,
    example_pictures,
    reads_pictures,
    sized,
)
from hf_arae.models.glomo.sequence_places import (
    features_of,
    find_place,
    named,
    probe,
    reading_argument,
    vocabulary_size,
    with_features,
)
from hf_arae.nn.graph_mixer import GraphMixer, LayerGraphs

logger = logging.get_logger(__name__)

NAME = "attached_graphs"  # of what a model with graphs has as a submodule
DIRECTIONS = ("both", "forward")
NOT_WHOLE = "a model with graphs must read whole sequences"


class AttachedGraphs(nn.Module):
    """What `attach_graphs` puts into a model: the frozen predictor, and a mixer for each submodule.

    The predictor stays in evaluation mode and gets no gradient, whatever the model around it is told.

    Args:
        glomo: the predictor.
        reads: the argument of the model's `forward` that takes token ids, or images.
        padding: the model's padding token; `None`: it has none, and only an attention mask tells.
        foreign: finds the predictor's words in the model's token ids, if these are another tokenizer's.
        cache: keeps the graphs of the batch that was read last.
    """

    def __init__(self, glomo: GraphReader, reads: str, padding: int | None, foreign: ForeignWords | None, cache: bool):
        super().__init__()
        self.glomo = glomo.requires_grad_(False).eval()
        self.mixers = nn.ModuleList()
        self.places: list[str] = []  # the submodule of each mixer
        self.settings: list[dict[str, Any]] = []  # of each mixer, beside its width
        self.reads, self.padding, self.foreign = reads, padding, foreign
        self.cache = GraphCache(cache)
        self.handles: list[Any] = []
        self.used_cache: bool | None = None  # what the model's generate() did before
        self._batch: tuple[Tensor, ...] | None = None  # ids and mask, or images, while the model runs

    def train(self, mode: bool = True) -> AttachedGraphs:
        """As in torch, but for the predictor."""
        super().train(mode)
        self.glomo.eval()
        return self

    def layer_graphs(self, *batch: Tensor) -> Iterable[Tensor]:
        """The graphs over the model's tokens or patches, a layer at a time, each `(batch, 2, heads, T, T)`.

        Args:
            batch: the model's token ids and attention mask, `(batch, T)`; or its images.

        Raises:
            ValueError: the predictor does not know an id, the sequence is longer than its context, or the pixels are
                not in its range.
        """
        return self.cache.graphs(self.glomo, self._seen if reads_pictures(self.glomo) else self._made, *batch)

    def _seen(self, pixel_values: Tensor) -> Iterator[Tensor]:
        return self.glomo.layer_graphs(sized(pixel_values, self.glomo))

    def _made(self, input_ids: Tensor, attention_mask: Tensor) -> Iterator[Tensor]:
        spread = None
        if self.foreign is not None:
            spread = self.foreign(input_ids, attention_mask)
            input_ids, attention_mask = spread.input_ids, spread.attention_mask
        known, longest = self.glomo.config.vocab_size, self.glomo.config.context_length
        if input_ids.device.type == "cpu" and input_ids.numel() and int(input_ids.max()) >= known:
            raise ValueError(
                f"the predictor of the graphs knows {known} tokens, and the model reads the id "
                f"{int(input_ids.max())}: they have different vocabularies. Give attach_graphs both tokenizers"
            )
        if input_ids.shape[1] > longest:
            raise ValueError(
                f"the sequences have {input_ids.shape[1]} of the predictor's tokens, and it reads {longest} "
                "(context_length): cut them, with truncation=True and max_length, say"
            )
        for graphs in self.glomo.layer_graphs(input_ids, attention_mask):
            yield graphs if spread is None else spread(graphs)

    # Hooks

    def before(self, model: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        """Before the model: remembers the batch."""
        given = inspect.signature(model.forward).bind_partial(*args, **kwargs).arguments | kwargs
        if reads_pictures(self.glomo):
            self._batch = (check_pictures(type(model).__name__, self.reads, given.get(self.reads), self.glomo),)
            return
        ids, mask = given.get(self.reads), given.get("attention_mask")
        if not isinstance(ids, Tensor) or ids.dim() != 2:
            raise ValueError(f"{type(model).__name__} must be given {self.reads}, (batch, sequence), for its graphs")
        if any(hasattr(one, "get_seq_length") and one.get_seq_length() > 0 for one in given.values()):
            raise ValueError(f"{NOT_WHOLE}, in generate() with use_cache=False")
        if not isinstance(mask, Tensor) or mask.shape != ids.shape:
            mask = torch.ones_like(ids) if self.padding is None else ids != self.padding
        self._batch = ids, mask.bool()

    def after(self, *_: Any) -> None:
        """After the model, even if it failed."""
        self._batch = None

    def mixed(self, number: int, output: Any) -> Any:
        """After a submodule: its output, with what its features draw along the graphs."""
        place = self.places[number]
        if self._batch is None:
            raise RuntimeError(
                f"the submodule {place} was run outside of the whole model's forward, which alone knows the token ids "
                "of its graphs (gradient checkpointing does so, too)"
            )
        features = features_of(output)
        if reads_pictures(self.glomo):
            return with_features(output, self._mixed_picture(number, features))
        ids, mask = self._batch
        if features is None or features.shape[:2] != ids.shape:
            found = "no sequence" if features is None else f"features of the shape {tuple(features.shape)}"
            raise ValueError(f"the submodule {place} gave {found} for token ids of {tuple(ids.shape)}: {NOT_WHOLE}")
        return with_features(output, self.mixers[number](features, self.layer_graphs(ids, mask), mask))

    def _mixed_picture(self, number: int, features: Tensor | None) -> Tensor:
        """The same for patches, behind what else the model has: such tokens draw nothing and are not drawn from."""
        units = self.glomo.config.context_length
        extra = -1 if features is None else features.shape[1] - units
        if not 0 <= extra <= MOST_EXTRA:
            found = "no sequence" if features is None else f"{features.shape[1]} tokens"
            raise ValueError(f"the submodule {self.places[number]} gave {found}, and there are {units} patches")
        mask = torch.arange(features.shape[1], device=features.device).expand(features.shape[:2]) >= extra
        graphs = self.layer_graphs(*self._batch)
        if extra:
            one, count = graphs, extra
            graphs = LayerGraphs(lambda: (F.pad(layer, (count, 0, count, 0)) for layer in one))
        return self.mixers[number](features, graphs, mask)


class _Mixed:
    """The hook of one submodule."""

    def __init__(self, attached: AttachedGraphs, number: int):
        self.attached, self.number = attached, number

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        return self.attached.mixed(self.number, output)


def attach_graphs(
    model: nn.Module,
    glomo: GraphReader,
    at: str = "embeddings",
    output: str = "residual",
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    glomo_tokenizer: PreTrainedTokenizerBase | None = None,
    directions: str | None = None,
    weights: str = "conditioned",
    num_mixtures: int = 2,
    gate_size: int | None = None,
    dropout: float = 0.0,
    cache: bool = True,
    reads: str | None = None,
    example: dict[str, Any] | None = None,
) -> AttachedGraphs:
    """Lets a submodule's features draw from one another along GLoMo's graphs, in any transformers or torch model.

    Call it again for further submodules. The model trains, evaluates and goes through pipelines as before; its new
    parameters are those of the mixers. What writes text does so without its cache, as graphs need whole sequences.
    `save_attached` and `load_attached` keep model, mixers and predictor together; `detach_graphs` takes them off.

    Args:
        model: it is changed in place.
        glomo: the predictor, which is frozen; of words, or of images for a model that reads images as patches (what
            it has before them, a token of the class, say, stays as it is).
        at: name of the submodule whose output is taken, a tuple's first part included. `"embeddings"` is the table of
            words where no submodule has that name.
        output: `"residual"` keeps the width, and the model computes what it did, bit for bit, until it is trained;
            `"concatenate"` widens the output by `gate_size`, for which what comes after must be made.
        tokenizer: the model's, if it is another one than the predictor's.
        glomo_tokenizer: the predictor's, if `tokenizer` is given.
        directions: `"both"`, or `"forward"` graphs alone. `None`: both, but forward ones alone in a model that reads
            from left to right: backward graphs would tell it what comes later.
        weights, num_mixtures, gate_size, dropout: see [`~hf_arae.nn.graph_mixer.GraphMixer`].
        cache: keep the graphs of the batch that was read last; all mixers of a model share them.
        reads: the argument of `model.forward` that takes token ids `(batch, sequence)`, or images; `None`: the first
            one, or a transformers model's main input. Padding is what its `attention_mask` says, or the padding token.
        example: arguments of one `forward`, by which the widths of submodules are found; `None`: two sequences of five
            tokens, or two images.

    Returns:
        The submodule `attached_graphs` of the model.

    Raises:
        TypeError: `glomo` is no predictor of graphs.
        ValueError: there is no such submodule, or it gives no sequence (those that do are named); it has graphs
            already; widths do not fit; the predictor is of another vocabulary and a tokenizer is missing, or its
            units are not the model's patches; the model has another predictor's graphs.
    """
    if directions not in (None, *DIRECTIONS):
        raise ValueError(f"directions must be one of {', '.join(DIRECTIONS)}, or None; got {directions!r}")
    if not hasattr(glomo, "layer_graphs"):
        inner = ": its own predictor is `.glomo`" if hasattr(glomo, "glomo") else ""
        raise TypeError(f"glomo must be a GlomoModel, which gives graphs; got {type(glomo).__name__}{inner}")
    if glomo.config.graph == "none":
        raise ValueError("this predictor gives no graphs: its config has graph='none'")
    pictures = reads_pictures(glomo)
    reads = reading_argument(model, reads, pictures)
    if example is not None and not isinstance(example.get(reads), Tensor):
        kind = "images" if pictures else "token ids"
        raise ValueError(f"example must hold {reads}, the {kind} that {type(model).__name__} reads")
    units = None
    if pictures:
        check_grids(model, glomo)
        units = range(glomo.config.context_length, glomo.config.context_length + MOST_EXTRA + 1)
        if example is None:
            device = next((one.device for one in model.parameters()), torch.device("cpu"))
            example = {reads: example_pictures(model, glomo, device)}
    attached = getattr(model, NAME, None)
    if attached is not None and (attached.glomo is not glomo or attached.reads != reads):
        raise ValueError("the model has another predictor's graphs already: take them off with detach_graphs first")
    widths, wrong = probe(model, reads, example, units)
    try:
        place = find_place(model, at)
    except ValueError as error:
        raise ValueError(f"{error}. Those that give a sequence, with their widths: {named(widths)}") from None
    if place not in widths:
        more = f" ({wrong})" if wrong else ""
        raise ValueError(
            f"the submodule {place} gives no sequence (batch, sequence, width){more}. Those that do, with their "
            f"widths: {named(widths)}"
        )
    if attached is not None and place in attached.places:
        raise ValueError(f"the submodule {place} has graphs already")
    one_way = reads_left_to_right(model)
    if one_way and directions is None:
        logger.warning(
            "%s reads from left to right: forward graphs alone are mixed in, as backward ones would tell it what "
            "comes later",
            type(model).__name__,
        )
    directions = directions or ("forward" if one_way else "both")
    foreign = None if attached is None else attached.foreign
    if foreign is not None and foreign.left_to_right != (directions == "forward"):
        raise ValueError("all graphs of a model with a tokenizer of its own must have the same directions")
    settings = {
        "output": output,
        "weights": weights,
        "num_mixtures": num_mixtures,
        "num_directions": 2 if directions == "both" else 1,
        "gate_size": gate_size,
        "dropout": dropout,
    }
    config = glomo.config
    mixer = GraphMixer(widths[place], config.num_graph_layers, config.num_heads, **settings)
    own = model.get_submodule(place)
    near = next((one for one in (*own.parameters(), *model.parameters()) if one.is_floating_point()), None)
    if near is not None:
        mixer.to(near.device, near.dtype)
    mixer.train(model.training)
    first = attached is None
    if first:
        foreign, padding = _foreign(model, glomo, tokenizer, glomo_tokenizer, directions == "forward")
        attached = AttachedGraphs(glomo, reads, padding, foreign, cache)
        if near is not None:
            glomo.to(near.device)
        model.add_module(NAME, attached)
        if getattr(model, "generation_config", None) is not None:
            attached.used_cache, model.generation_config.use_cache = model.generation_config.use_cache, False
        attached.handles.append(model.register_forward_pre_hook(attached.before, with_kwargs=True))
        attached.handles.append(model.register_forward_hook(attached.after, always_call=True))
    attached.mixers.append(mixer)
    attached.places.append(place)
    attached.settings.append(settings)
    hook = _Mixed(attached, len(attached.places) - 1)
    attached.handles.append(own.register_forward_hook(hook))
    # A model that is made for wider features ran only so far; one that did not run at all is the user's to know.
    failed = probe(model, reads, example, units)[1] if wrong is None or output == "concatenate" else None
    attached.cache.clear()
    if failed is not None:
        _take_back(model, attached, first)
        raise ValueError(
            f"with graphs at {place}, {widths[place]} wide before and {mixer.output_width} now, the model does not "
            f"run: {failed}"
        )
    return attached


def detach_graphs(model: nn.Module) -> None:
    """Takes all graphs off a model, which computes what it did without them.

    Raises:
        ValueError: it has none.
    """
    attached = attached_to(model)
    for handle in attached.handles:
        handle.remove()
    delattr(model, NAME)
    if attached.used_cache is not None:
        model.generation_config.use_cache = attached.used_cache


def attached_to(model: nn.Module) -> AttachedGraphs:
    """What `attach_graphs` put into a model.

    Raises:
        ValueError: it has no graphs.
    """
    attached = getattr(model, NAME, None)
    if not isinstance(attached, AttachedGraphs):
        raise ValueError(f"this {type(model).__name__} has no graphs: attach_graphs attaches them")
    return attached


def reads_left_to_right(model: nn.Module) -> bool:
    """Whether a model's attention, or its class, says that no position sees later ones."""
    if "CausalLM" in type(model).__name__ or getattr(getattr(model, "config", None), "is_decoder", False):
        return True
    return any(getattr(module, "is_causal", False) is True for module in model.modules())


def _foreign(
    model: nn.Module,
    glomo: GraphReader,
    tokenizer: PreTrainedTokenizerBase | None,
    words: PreTrainedTokenizerBase | None,
    left_to_right: bool,
) -> tuple[ForeignWords | None, int | None]:
    """What finds the predictor's words, if the model reads others; and the model's padding token."""
    if reads_pictures(glomo):
        if tokenizer is not None or words is not None:
            raise ValueError("the predictor's units are those of images: there is no tokenizer to give")
        return None, None
    known, theirs = glomo.config.vocab_size, vocabulary_size(model)
    if tokenizer is None:
        if theirs is not None and theirs != known:
            raise ValueError(
                f"the predictor of the graphs is of another vocabulary, of {known} tokens, than the model, of "
                f"{theirs}: give attach_graphs both tokenizers, as tokenizer and glomo_tokenizer"
            )
        return None, glomo.config.pad_token_id
    if words is None:
        raise ValueError("with the model's tokenizer, attach_graphs needs the predictor's too, as glomo_tokenizer")
    glomo.check_processor(words)
    if theirs is not None and len(tokenizer) > theirs:
        raise ValueError(f"the tokenizer is not the model's: it has {len(tokenizer)} tokens and the model {theirs}")
    if tokenizer.get_vocab() == words.get_vocab():
        return None, glomo.config.pad_token_id
    return ForeignWords(tokenizer, words, left_to_right), tokenizer.pad_token_id


def _take_back(model: nn.Module, attached: AttachedGraphs, first: bool) -> None:
    """Takes the mixer off that was attached last."""
    attached.handles.pop().remove()
    for parts in (attached.places, attached.settings):
        parts.pop()
    del attached.mixers[-1]
    if first:
        detach_graphs(model)


__all__ = ["AttachedGraphs", "attach_graphs", "attached_to", "detach_graphs", "reads_left_to_right"]
