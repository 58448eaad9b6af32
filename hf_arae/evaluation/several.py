"""Several evaluators as one."""

from __future__ import annotations

from collections.abc import Callable

from transformers import PreTrainedModel

from hf_arae.training.results import Evaluation


class SeveralEvaluators:
    """Evaluator for the loop: the metrics and the samples of several, one after another.

    Args:
        evaluators: each with a method `metric_names(model)`; names of metrics are all different.
    """

    def __init__(self, *evaluators: Callable[[PreTrainedModel], Evaluation]):
        self.evaluators = evaluators

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        return [name for evaluator in self.evaluators for name in evaluator.metric_names(model)]

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        metrics, samples = {}, []
        for evaluator in self.evaluators:
            one = evaluator(model)
            metrics |= one.metrics
            samples += one.samples
        return Evaluation(metrics, samples)
