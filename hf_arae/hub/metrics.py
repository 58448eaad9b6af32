"""Metrics as repositories: a Space that `evaluate.load("owner/name")` takes a metric from, without this package.

`evaluate` wants a script of the repository's own name, and copies into its cache that script and the files that the
script itself imports by `from .file import name`: not what those import in turn.
"""

from __future__ import annotations

import ast
import html
import inspect
import os
import re
import sys
import tempfile
from pathlib import Path

from huggingface_hub import CommitInfo, SpaceCardData

import hf_arae.metrics
from hf_arae.hub.errors import clear_errors, connect
from hf_arae.hub.flat_sources import ExportError, collect, flat_name
from hf_arae.hub.pushing import open_repository, upload
from hf_arae.metrics.interface import InMemoryMetric
from hf_arae.utils.version import VERSION

METRICS = {module: class_name for class_name, module in hf_arae.metrics.MODULES.items()}

# By the name that Python imports; those of pyproject.toml, which an installed package does not have beside it.
_REQUIREMENTS = {
    "datasets": "datasets>=4,<5.3",
    "evaluate": "evaluate>=0.4.6,<0.4.7",
    "numpy": "numpy>=2,<2.5",
    "rouge_score": "rouge_score>=0.1.2,<0.2",
    "sacrebleu": "sacrebleu>=2.4,<2.7",
    "sklearn": "scikit-learn>=1.5,<1.10",
    "torch": "torch>=2.13,<2.14",
    "torchmetrics": "torchmetrics>=1.9,<1.10",
    "transformers": "transformers>=5.24,<5.25",
}
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_-]+")  # a dot would end the name of a module
_HEADINGS = {"Args:": "Arguments", "`compute` takes": "Inputs", "and returns": "Outputs", "Raises:": "Errors"}
_CARD = """---
{data}
---

# {title}

{summary}

```python
{example}
```

Needs `pip install {requirements}`.

{interface}

{citation}The source is `{source}` of `hf_arae`: edits belong there.
"""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<body style="max-width: 48em; margin: 2em auto; padding: 0 1em; font-family: sans-serif; line-height: 1.4">
<h1>{title}</h1>
<p>{summary}</p>
<pre style="overflow-x: auto">{example}</pre>
</body>
</html>
"""


def stage_metric(name: str, folder: str | os.PathLike, repository: str | None = None) -> Path:
    """Writes a metric's repository: the script with all that it imports, a card, a page and the requirements.

    The script has the folder's name, by which `evaluate.load(folder)` finds it. Other files in the folder stay.

    Args:
        name: one of `METRICS`.
        folder: where to write; made if it does not exist.
        repository: Hub id that the card's example loads; the folder's name by default.

    Returns:
        The folder.

    Raises:
        ValueError: there is no such metric, or the folder's name cannot be a script's.
        ExportError: the metric needs what `evaluate` would not copy. Nothing was written then.
    """
    if name not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}; got {name!r}")
    folder, metric_class = Path(folder), getattr(hf_arae.metrics, METRICS[name])
    script = folder.resolve().name
    files = _sources(metric_class.__module__, script)
    title = METRICS[name]
    summary, code, interface = _document(metric_class)
    loading = f'evaluate.load("{repository or script}"'
    code = code.replace(f"{title}()", f"{loading})").replace(f"{title}(", f"{loading}, ")
    example = f"import evaluate\n\n{code}"
    requirements = _requirements(files)
    citation = metric_class.__new__(metric_class)._info().citation  # needs no model, as __init__ may
    data = SpaceCardData(title=title, sdk="static", license="apache-2.0", tags=["evaluate", "metric"])
    card = _CARD.format(
        data=data.to_yaml(),
        title=title,
        summary=summary,
        example=example,
        requirements=" ".join(f'"{line}"' for line in requirements),
        interface=interface,
        citation=f"Sources: {citation}.\n\n" if citation else "",
        source=metric_class.__module__.replace(".", "/") + ".py",
    )
    shown = {"title": title, "summary": summary.replace("`", ""), "example": example}
    page = _PAGE.format(**{key: html.escape(text, quote=False) for key, text in shown.items()})

    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{file}.py": source for file, source in files.items()}
    texts |= {"README.md": card, "index.html": page, "requirements.txt": "".join(f"{line}\n" for line in requirements)}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def push_metric(
    name: str,
    repo_id: str,
    *,
    private: bool | None = None,
    update: bool = False,
    message: str | None = None,
    token: str | None = None,
) -> CommitInfo:
    """Pushes a metric to a Space of the Hub, which is made if it does not exist.

    `evaluate.load("owner/name")` loads it from there. `evaluate` runs that code without asking: load from repositories
    that you trust.

    Args:
        name: one of `METRICS`.
        repo_id: "owner/name", or a name of the user's own.
        private: whether a new Space is private; by default what the owner's settings say.
        update: add a commit to a Space that has files already.
        message: of the commit.
        token: of the Hub; the one that is logged in by default.

    Raises:
        ValueError: there is no such metric, or the repository's name cannot be a script's.
        HubError: the Hub refuses or cannot be reached, or the Space exists and `update` is off.
    """
    with tempfile.TemporaryDirectory() as place:
        # Staged before the Space is made: what cannot be staged leaves no empty one behind.
        folder = stage_metric(name, Path(place) / repo_id.rpartition("/")[2])
        api = connect(token)
        repo_id = open_repository(repo_id, "space", private, api, update, folder)
        stage_metric(name, folder, repo_id)
        message = message or f"Metric {name} of hf_arae {VERSION}"
        with clear_errors(repo_id):
            return upload(folder, repo_id, "space", None, message, False, api)


def _sources(module: str, script: str) -> dict[str, str]:
    """The metric's sources, its own under the script's name."""
    files = collect([module])
    source = files.pop(flat_name(module))
    if not _SCRIPT_NAME.fullmatch(script) or script in files:
        raise ValueError(f"the repository's name must consist of letters, digits, '_' and '-', got {script!r}")
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.level}
    if left_out := set(files) - imported:
        raise ExportError(f"{module} must itself import {', '.join(sorted(left_out))}: evaluate copies nothing else")
    return {script: source, **files}


def _requirements(files: dict[str, str]) -> list[str]:
    """Of all packages that the sources import, those by `import_extra` included."""
    names = set()
    for node in (node for source in files.values() for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "import_extra":
            names.add(ast.literal_eval(node.args[0]))
    return sorted(_REQUIREMENTS[name] for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names)


def _document(metric_class: type[InMemoryMetric]) -> tuple[str, str, str]:
    """A metric's docstring: the prose, the example, and what follows as Markdown."""
    prose, code, interface = re.split(r"\n*```(?:python)?\n+", inspect.getdoc(metric_class))
    lines: list[str] = []
    for line in interface.splitlines():
        depth, text = len(line) - len(line.lstrip()), line.strip()
        begin = next((begin for begin in _HEADINGS if not depth and text.startswith(begin)), None)
        if begin:
            lines += ["", f"## {_HEADINGS[begin]}", "", text.removeprefix(begin).strip()]
        elif depth == 4:
            names, _, meaning = text.partition(": ")
            lines.append(f"- `{names}`: {meaning}")
        elif depth or (text and lines and lines[-1] and not lines[-1].startswith("- ")):
            lines[-1] += f" {text}"
        elif text:
            lines += ["", text]
    return prose, code, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


__all__ = ["METRICS", "push_metric", "stage_metric"]
