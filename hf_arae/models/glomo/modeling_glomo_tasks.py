"""Models of tasks into which GLoMo's graphs are mixed: baselines with the frozen predictor inside (section 7.3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import (
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.utils import ModelOutput

from hf_arae.losses.classification import NO_LABEL, class_labels
from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.graph_cache import GraphCache
from hf_arae.models.glomo.graph_reader import FrozenPredictor
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.task_layers import GraphTaskNetwork
from hf_arae.models.text.example_sentences import example_sentences
from hf_arae.models.text.text_reader import TextReader
from hf_arae.nn.text.padding import check_padded_right, padded_right
from hf_arae.utils.validation import check_tells_apart


class GraphTaskModel(FrozenPredictor, TextReader):
    """Base of the models of tasks: a frozen [`GlomoModel`] `glomo`, and all that learns in `task`.

    A checkpoint of pre-trained graphs loads into it, with a new `task`. Which graphs they are says the config's
    `graph`: `"learned"`, or a control in their place; `"none"` is the same model without them.

    Texts are token ids as the tokenizer gives them, `<bos> ... <eos>`, or `<bos> ... <eos> <bos> ... <eos>` for a
    pair, padded on the right.

    Args:
        config: see [`GlomoConfig`] and [`GraphTaskConfig`].
    """

    config: GlomoConfig
    config_class = GlomoConfig

    def __init__(self, config: GlomoConfig):
        super().__init__(config)
        self.glomo = GlomoModel(config)
        self.task = self._task(config)
        self.graph_cache = GraphCache()
        self.post_init()
        self._freeze()

    def _task(self, config: GlomoConfig) -> nn.Module:
        """All that learns: its `network`, and a head above it."""
        raise NotImplementedError

    def states(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """States of tokens, `(batch, T, width)`, and which of them are no padding, `(batch, T)` bool.

        Raises:
            ValueError: a text is longer than the config's `context_length`, holds no token, or is padded elsewhere
                than on the right.
        """
        longest = self.config.context_length
        if input_ids.shape[1] > longest:
            raise ValueError(
                f"the texts have {input_ids.shape[1]} tokens, and the model reads {longest} (context_length): cut "
                "them, by the tokenizer's truncation=True, say"
            )
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask.bool()
        if not len(mask):
            raise ValueError("input_ids holds no text")
        empty = ~mask.any(1)
        if empty.any():
            raise ValueError(f"row {int(empty.int().argmax())} of input_ids holds no token")
        check_padded_right("input_ids", mask)
        graphs = () if not self.task.network.mixers else self._graphs(input_ids, mask)
        return self.task.network(input_ids, mask, graphs), mask

    def _graphs(self, input_ids: Tensor, mask: Tensor):
        return self.graph_cache.graphs(self.glomo, self.glomo.layer_graphs, input_ids, mask)

    def task_loss(self, output: ModelOutput, **labels: Tensor) -> tuple[Tensor, int]:
        """Cross-entropy (nats) of what `forward` has returned, its sum, and the number of what it is the sum of.

        Args:
            output: without its loss.
            labels: as `forward` takes them.
        """
        raise NotImplementedError

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """Small valid inputs of `forward`, the same at each call: `input_ids` and `attention_mask`, int64."""
        ids = torch.tensor(example_sentences(self.config), device=self.device)
        return {"input_ids": ids, "attention_mask": (ids != self.config.pad_token_id).long()}

    def get_input_embeddings(self) -> nn.Embedding:
        """The task's table of words."""
        return self.task.network.embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Puts another table in its place."""
        self.task.network.embeddings = value

    def _word_tables(self) -> list[tuple[nn.Module, str]]:
        return [(self.task.network.embeddings, "weight"), (self.glomo.embeddings, "weight")]

    def _finished(self, output: ModelOutput, labels: dict[str, Tensor | None], return_dict: bool | None):
        """The output with its loss, if there are labels."""
        given = {name: value for name, value in labels.items() if value is not None}
        if 0 < len(given) < len(labels):
            raise ValueError(f"{', '.join(labels)} go together: give all or none")
        if given:
            total, count = self.task_loss(output, **given)
            output["loss"] = total / max(count, 1)
        return output if return_dict is not False else output.to_tuple()


class _Head(nn.Module):
    """The network of a task and a linear layer on its states, or on what they come to over a text."""

    def __init__(self, config: GlomoConfig, outputs: int, pooled: bool = False, bias: bool = True):
        super().__init__()
        self.network = GraphTaskNetwork(config)
        width = self.network.output_size
        self.output_layer = nn.Linear(2 * width if pooled else width, outputs, bias)


class GlomoForSequenceClassification(GraphTaskModel):
    """Labels texts, or pairs of texts, from the largest and the mean state over their tokens."""

    auto_classes = ("AutoModelForSequenceClassification",)

    def _task(self, config: GlomoConfig) -> nn.Module:
        check_tells_apart(config.num_labels, config.problem_type)
        return _Head(config, config.num_labels, pooled=True)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> SequenceClassifierOutput | tuple:
        """Labels texts.

        Args:
            input_ids: `(batch, T)`, padded on either side.
            attention_mask: `(batch, T)`, 0 for padding; the padding token tells, if `None`.
            labels: `(batch,)`, -100 where there is none; the loss is the cross-entropy, mean over labels (nats).
            return_dict: a tuple instead of a `SequenceClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `loss`, if there are labels, and `logits` `(batch, num_labels)`.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `states` and `class_labels`.
        """
        self._refuse_unknown(kwargs)
        mask = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask
        states, mask = self.states(*padded_right(input_ids, mask, self.config.pad_token_id))
        there = mask.unsqueeze(2)
        largest = states.masked_fill(~there, torch.finfo(states.dtype).min).amax(1)
        mean = states.masked_fill(~there, 0.0).sum(1) / there.sum(1)
        logits = self.task.output_layer(torch.cat([largest, mean], 1))
        return self._finished(SequenceClassifierOutput(logits=logits), {"labels": labels}, return_dict)

    def task_loss(self, output: SequenceClassifierOutput, labels: Tensor) -> tuple[Tensor, int]:
        """See the base; over texts."""
        labels = class_labels(output.logits, labels)
        total = F.cross_entropy(output.logits.float(), labels, reduction="sum")
        return total, int((labels != NO_LABEL).sum())


class GlomoForTokenClassification(GraphTaskModel):
    """Labels the tokens of texts."""

    auto_classes = ("AutoModelForTokenClassification",)

    def _task(self, config: GlomoConfig) -> nn.Module:
        check_tells_apart(config.num_labels, config.problem_type)
        return _Head(config, config.num_labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> TokenClassifierOutput | tuple:
        """Labels tokens.

        Args:
            input_ids: `(batch, T)`, padded on the right.
            attention_mask: `(batch, T)`, 0 for padding; the padding token tells, if `None`.
            labels: `(batch, T)`, -100 where there is none; the loss is the cross-entropy, mean over labels (nats).
            return_dict: a tuple instead of a `TokenClassifierOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `loss`, if there are labels, and `logits` `(batch, T, num_labels)`.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `states` and `class_labels`.
        """
        self._refuse_unknown(kwargs)
        states, _ = self.states(input_ids, attention_mask)
        output = TokenClassifierOutput(logits=self.task.output_layer(states))
        return self._finished(output, {"labels": labels}, return_dict)

    def task_loss(self, output: TokenClassifierOutput, labels: Tensor) -> tuple[Tensor, int]:
        """See the base; over labelled tokens."""
        logits = output.logits.float().flatten(0, 1)
        labels = class_labels(logits, labels.flatten())
        total = F.cross_entropy(logits, labels, reduction="sum")
        return total, int((labels != NO_LABEL).sum())


class GlomoForQuestionAnswering(GraphTaskModel):
    """Finds the answer to a question in a passage: where it begins, and where it ends.

    Pairs are `tokenizer(question, passage)`: `<bos> question <eos> <bos> passage <eos>`.
    """

    auto_classes = ("AutoModelForQuestionAnswering",)

    def _task(self, config: GlomoConfig) -> nn.Module:
        return _Head(config, 2, bias=False)  # what all places have in common is no matter

    @property
    def example_inputs(self) -> dict[str, Tensor]:
        """As the base; each row is a question and a passage."""
        first, second = example_sentences(self.config)
        ids = torch.tensor([first + first, second[:4] + first + second[4:]], device=self.device)
        return {"input_ids": ids, "attention_mask": (ids != self.config.pad_token_id).long()}

    def passage(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Which tokens are words of the passage, `(batch, T)` bool.

        Raises:
            ValueError: a row does not hold two texts, or no word of the second.
        """
        texts = (input_ids == self.config.bos_token_id).cumsum(1)
        frame = input_ids.new_tensor([self.config.bos_token_id, self.config.eos_token_id])
        found = (texts == 2) & mask & ~torch.isin(input_ids, frame)
        wrong = (texts[:, -1] != 2) | ~found.any(1)
        if wrong.any():
            raise ValueError(
                f"row {int(wrong.int().argmax())} is not a question and a passage with words in it: these are "
                "<bos> ... <eos> <bos> ... <eos>, which tokenizer(question, passage) gives"
            )
        return found

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> QuestionAnsweringModelOutput | tuple:
        """Scores the places of the passage.

        Args:
            input_ids: `(batch, T)`, padded on the right.
            attention_mask: `(batch, T)`, 0 for padding; the padding token tells, if `None`.
            start_positions, end_positions: first and last token of the answers, `(batch,)`; the loss is the mean of
                both cross-entropies, mean over questions (nats).
            return_dict: a tuple instead of a `QuestionAnsweringModelOutput` if `False`.
            kwargs: what transformers hands to any model; nothing of it is used.

        Returns:
            `loss`, if there are answers, and `start_logits` and `end_logits`, `(batch, T)`, the lowest number there is
            outside of the passage.

        Raises:
            TypeError: an argument is unknown.
            ValueError: see `states` and `passage`; or an answer is not in the passage, or ends before it begins.
        """
        self._refuse_unknown(kwargs)
        states, mask = self.states(input_ids, attention_mask)
        passage = self.passage(input_ids, mask)
        if start_positions is not None and end_positions is not None:
            self._check_answers(passage, start_positions, end_positions)
        logits = self.task.output_layer(states).float()
        start, end = logits.masked_fill(~passage.unsqueeze(2), torch.finfo(logits.dtype).min).unbind(2)
        labels = {"start_positions": start_positions, "end_positions": end_positions}
        return self._finished(QuestionAnsweringModelOutput(start_logits=start, end_logits=end), labels, return_dict)

    def task_loss(
        self, output: QuestionAnsweringModelOutput, start_positions: Tensor, end_positions: Tensor
    ) -> tuple[Tensor, int]:
        """See the base; over questions."""
        pairs = ((output.start_logits, start_positions), (output.end_logits, end_positions))
        return sum(F.cross_entropy(*pair, reduction="sum") for pair in pairs) / 2, len(start_positions)

    @torch.no_grad()
    def answer_spans(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, longest_answer: int = 15
    ) -> tuple[Tensor, Tensor]:
        """The first and the last token of the likeliest answers, each `(batch,)`.

        Args:
            input_ids, attention_mask: as `forward` takes them.
            longest_answer: in tokens, >= 1.

        Raises:
            ValueError: as `forward`; or `longest_answer` is below 1.
        """
        if longest_answer < 1:
            raise ValueError(f"longest_answer must be at least 1, got {longest_answer}")
        output = self(input_ids, attention_mask)
        length = input_ids.shape[1]
        start, end = (logits.log_softmax(1) for logits in (output.start_logits, output.end_logits))
        there = torch.ones(length, length, dtype=torch.bool, device=input_ids.device)
        there = there.triu() & ~there.triu(longest_answer)
        scores = (start.unsqueeze(2) + end.unsqueeze(1)).masked_fill(~there, -torch.inf)
        best = scores.flatten(1).argmax(1)
        return best // length, best % length

    def _check_answers(self, passage: Tensor, start: Tensor, end: Tensor) -> None:
        length = passage.shape[1]
        inside = [
            (place >= 0) & (place < length) & passage.gather(1, place.clamp(0, length - 1).unsqueeze(1)).squeeze(1)
            for place in (start, end)
        ]
        wrong = ~(inside[0] & inside[1] & (start <= end))
        if wrong.any():
            row = int(wrong.int().argmax())
            raise ValueError(
                f"the answer of row {row}, tokens {int(start[row])} to {int(end[row])}, does not lie in its passage: "
                "leave such questions out, or cut their passages elsewhere"
            )


__all__ = ["GlomoForQuestionAnswering", "GlomoForSequenceClassification", "GlomoForTokenClassification"]
