"""Models that are alike but for the graphs that are mixed into them, to compare the graphs by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedModel, set_seed

from hf_arae.models.glomo.attaching import attach_graphs
from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.graph_reader import GraphReader
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.modeling_glomo_tasks import (
    GlomoForQuestionAnswering,
    GlomoForSequenceClassification,
    GraphTaskModel,
)
from hf_arae.models.glomo_image.configuration_glomo_image import GlomoImageConfig
from hf_arae.models.glomo_image.modeling_glomo_image import GlomoImageModel
from hf_arae.models.glomo_image.modeling_glomo_image_tasks import GlomoImageForImageClassification

GRAPHS = ("none", "uniform", "random", "untrained", "learned")
NETWORKS = ("rnn", "transformer")
PLACES = ("embeddings", "states")


class GraphModels:
    """Builds models for one task with different graphs; those of a seed begin alike, as far as they have the same.

    Args:
        predictor: of learned graphs. The others have its sizes.
        sizes: fields of [`GraphTaskConfig`], without `mix_at`.
        label_names: of the labels; none for questions with passages.
        same_words: word vectors begin as the predictor's.
        layers, heads: of a transformer, which is as wide as the predictor.
    """

    def __init__(
        self,
        predictor: GlomoModel,
        sizes: Mapping[str, Any],
        label_names: Sequence[str] = (),
        same_words: bool = True,
        layers: int = 2,
        heads: int = 4,
    ):
        self.predictor, self.sizes, self.same_words = predictor, dict(sizes), same_words
        self.labels = {"id2label": dict(enumerate(label_names))} if label_names else {}
        self.layers, self.heads = layers, heads

    def build(self, network: str, graphs: str, place: str | None, seed: int) -> PreTrainedModel:
        """A new model.

        Args:
            network: `"rnn"`, one of GLoMo's models of tasks, or `"transformer"`, of DistilBERT's architecture, with
                graphs attached to it.
            graphs: of `GRAPHS`: the predictor's own, those of a predictor with new weights (`"untrained"`), the mean
                over what may be drawn from, random ones, or none.
            place: of `PLACES`: where they are mixed in. A transformer's states are those of its middle layer.
            seed: of all weights.

        Raises:
            ValueError: the transformer was to answer questions.
        """
        if network == "rnn":
            return self._rnn(graphs, place, seed)
        if not self.labels:
            raise ValueError("a transformer labels texts and pairs here; questions are for rnn")
        return self._transformer(graphs, place, seed)

    def _rnn(self, graphs: str, place: str | None, seed: int) -> GraphTaskModel:
        kind = GlomoForSequenceClassification if self.labels else GlomoForQuestionAnswering
        common = self.predictor.config.to_dict() | self.sizes | self.labels
        set_seed(seed)
        plain = kind(GlomoConfig(**(common | {"graph": "none"})))
        if self.same_words:
            self._copy_words(plain)
        if graphs == "none":
            return plain
        predictor = other_predictor(self.predictor, graphs, seed)
        set_seed(seed)
        model = kind(GlomoConfig(**(common | {"graph": predictor.config.graph, "mix_at": place})))
        model.glomo.load_state_dict(predictor.state_dict())
        _begin_alike(model.task, plain.task)
        return model

    def _transformer(self, graphs: str, place: str | None, seed: int) -> PreTrainedModel:
        sizes = self.predictor.config
        config = DistilBertConfig(
            vocab_size=sizes.vocab_size,
            dim=sizes.hidden_size,
            hidden_dim=4 * sizes.hidden_size,
            n_layers=self.layers,
            n_heads=self.heads,
            max_position_embeddings=sizes.context_length,
            pad_token_id=sizes.pad_token_id,
            label2id={name: number for number, name in self.labels["id2label"].items()},
            **self.labels,
        )
        set_seed(seed)
        model = DistilBertForSequenceClassification(config)
        if self.same_words:
            self._copy_words(model)
        if graphs != "none":
            middle = f"distilbert.transformer.layer.{(self.layers - 1) // 2}"
            at = "distilbert.embeddings" if place == "embeddings" else middle
            predictor = other_predictor(self.predictor, graphs, seed)
            set_seed(seed)
            mixing = {"weights": self.sizes["mixture_weights"], "num_mixtures": self.sizes["num_mixtures"]}
            attach_graphs(model, predictor, at, dropout=self.sizes["task_dropout"], **mixing)
        return model

    @torch.no_grad()
    def _copy_words(self, model: PreTrainedModel) -> None:
        own, theirs = model.get_input_embeddings().weight, self.predictor.embeddings.weight
        if own.shape != theirs.shape:
            raise ValueError(
                f"word vectors cannot begin as the predictor's, which are {theirs.shape[1]} wide: these are "
                f"{own.shape[1]} (task_embedding_size)"
            )
        own.copy_(theirs)


def image_classifier(
    predictor: GlomoImageModel, sizes: Mapping[str, Any], label_names: Sequence[str], graphs: str, seed: int
) -> GlomoImageForImageClassification:
    """A new classifier of images; those of a seed begin alike, as far as they have the same.

    Args:
        predictor: of learned graphs.
        sizes: fields of [`ImageTaskConfig`].
        label_names: of the labels.
        graphs: of `GRAPHS`.
        seed: of all weights.
    """
    common = predictor.config.to_dict() | dict(sizes) | {"id2label": dict(enumerate(label_names))}
    common = {name: value for name, value in common.items() if name != "label2id"}
    set_seed(seed)
    plain = GlomoImageForImageClassification(GlomoImageConfig(**(common | {"graph": "none"})))
    if graphs == "none":
        return plain
    found = other_predictor(predictor, graphs, seed)
    set_seed(seed)
    model = GlomoImageForImageClassification(GlomoImageConfig(**(common | {"graph": found.config.graph})))
    model.glomo.load_state_dict(found.state_dict())
    _begin_alike(model.task, plain.task)
    return model


def other_predictor(predictor: GraphReader, graphs: str, seed: int) -> GraphReader:
    """The predictor itself for `"learned"` graphs; for others of `GRAPHS` a new one of its sizes."""
    if graphs == "learned":
        return predictor
    config = type(predictor.config)(**predictor.config.to_dict())
    config.graph = "learned" if graphs == "untrained" else graphs
    set_seed(seed)
    return type(predictor)(config)


@torch.no_grad()
def _begin_alike(network: nn.Module, plain: nn.Module) -> None:
    own = dict(network.named_parameters())
    for name, value in plain.named_parameters():
        own[name][tuple(map(slice, value.shape))] = value  # a wider layer reads more beside the same


__all__ = ["GRAPHS", "NETWORKS", "PLACES", "GraphModels", "image_classifier", "other_predictor"]
