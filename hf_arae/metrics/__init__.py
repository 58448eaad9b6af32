"""The metrics, each an `evaluate.Metric` in a file of its own, usable without a network.

```python
from hf_arae.metrics import Bleu

Bleu().compute(predictions=["a b c d"], references=["a b c d"])  # {"bleu": 100.0}
```

A metric's module is imported when the metric is first asked for; sacrebleu, rouge_score and scikit-learn when it is
first used: `pip install hf_arae[metrics]` brings them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_arae.metrics.bleu import Bleu
    from hf_arae.metrics.content_preservation import ContentPreservation
    from hf_arae.metrics.diversity import Diversity
    from hf_arae.metrics.exact_match import ExactMatch
    from hf_arae.metrics.perplexity import Perplexity
    from hf_arae.metrics.rouge import Rouge
    from hf_arae.metrics.style_leakage import StyleLeakage
    from hf_arae.metrics.summary_shape import SummaryShape
    from hf_arae.metrics.transfer_accuracy import TransferAccuracy

__all__ = [
    "Bleu",
    "ContentPreservation",
    "Diversity",
    "ExactMatch",
    "Perplexity",
    "Rouge",
    "StyleLeakage",
    "SummaryShape",
    "TransferAccuracy",
]

MODULES = {
    "Bleu": "bleu",
    "ContentPreservation": "content_preservation",
    "Diversity": "diversity",
    "ExactMatch": "exact_match",
    "Perplexity": "perplexity",
    "Rouge": "rouge",
    "StyleLeakage": "style_leakage",
    "SummaryShape": "summary_shape",
    "TransferAccuracy": "transfer_accuracy",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
