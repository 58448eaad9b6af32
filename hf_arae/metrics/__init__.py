"""The metrics, each an `evaluate.Metric` in a file of its own, usable without a network.

```python
from hf_arae.metrics import Bleu

Bleu().compute(predictions=["a b c d"], references=["a b c d"])  # {"bleu": 100.0}
```

A metric's module is imported when the metric is first asked for; sacrebleu, rouge_score and scikit-learn when it is
first used: `pip install hf_arae[metrics]` brings them.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

_CLASS = re.compile(r"^class (\w+)\(InMemoryMetric\):", re.MULTILINE)

# By the name of its class: the file, without its ending, of each metric. A new file is all that a new one needs.
MODULES = {
    name: path.stem
    for path in sorted(Path(__file__).parent.glob("*.py"))
    for name in _CLASS.findall(path.read_text(encoding="utf-8"))
}
__all__ = sorted(MODULES)


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
