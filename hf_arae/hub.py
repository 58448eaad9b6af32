"""Checkpoints that carry their own code, for machines where this package is not installed.

transformers loads code from a repository only out of one folder, by imports of the form `from .file import name`. So
the modules that a model needs are copied side by side under flat names, with their imports rewritten.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedModel

from hf_arae import __version__
from hf_arae.models.auto import FAMILIES
from hf_arae.pipelines.auto import TASKS

PACKAGE = "hf_arae"
NOTICE = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Exported from {file} of hf_arae {version}.\n"
    "# Edits belong there: the next save_pretrained overwrites this file.\n"
)
# transformers copies what the modeling file imports, and nothing else, when a model that was loaded from such a folder
# is saved again. This import keeps the pipeline with the model.
KEEP_PIPELINE = "\nfrom .{module} import {name}  # noqa: E402, F401 - goes where the model goes\n"


class ExportError(RuntimeError):
    """A module cannot stand in a repository without this package."""


def export_code(model: PreTrainedModel, save_directory: str | os.PathLike) -> None:
    """Writes the source files that `trust_remote_code=True` needs into a folder and names them in `model.config`.

    Sets `auto_map` and, where a pipeline accepts the model, `custom_pipelines`. Writes nothing for a class from
    elsewhere: transformers itself copies the code of a model that was loaded by `trust_remote_code`, and a subclass in
    a user's script is the user's to publish.

    Args:
        model: a model of one of the families.
        save_directory: folder of the checkpoint; made if it does not exist.

    Raises:
        ExportError: a module that the model needs imports in a way that cannot be rewritten. Nothing was written then.
    """
    model_class = type(model)
    if model_class.__module__.partition(".")[0] != PACKAGE:
        if not model.is_remote_code():
            _forget_code(model.config)
        return
    family = next((family for family in FAMILIES if model_class in family.models.values()), None)
    if family is None:
        raise ExportError(f"{model_class.__name__} is not in the list of families, hf_arae.models.auto.FAMILIES")
    pipelines = {task: pipeline for task, pipeline in TASKS.items() if pipeline.accepts(model.config)}
    classes = {family.config, *family.models.values(), *pipelines.values()}
    files = _collect(sorted(cls.__module__ for cls in classes))
    modeling = _flat_name(model_class.__module__)
    for pipeline in pipelines.values():
        files[modeling] += KEEP_PIPELINE.format(module=_flat_name(pipeline.__module__), name=pipeline.__name__)

    folder = Path(save_directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        unfinished = folder / f".{name}.py.unfinished"
        unfinished.write_text(source, encoding="utf-8")
        unfinished.replace(folder / f"{name}.py")
    _forget_code(model.config)
    model.config.auto_map = {
        "AutoConfig": _reference(family.config),
        **{auto_class: _reference(cls) for auto_class, cls in family.models.items()},
    }
    # Not under the task's own name: pipeline(task, model) would then ask for trust_remote_code even where the package
    # is installed.
    if pipelines:
        model.config.custom_pipelines = {
            f"arae-{task}": {"impl": _reference(pipeline), "pt": [cls.__name__ for cls in pipeline.auto_models]}
            for task, pipeline in pipelines.items()
        }


def _forget_code(config: PreTrainedConfig) -> None:
    """Removes references to source files, which a config that was loaded from elsewhere may hold."""
    for name in ("auto_map", "custom_pipelines"):
        vars(config).pop(name, None)


def _collect(modules: list[str]) -> dict[str, str]:
    """Sources by flat name, of the modules and of all that they import from the package."""
    files, waiting = {}, list(modules)
    while waiting:
        module = waiting.pop()
        name = _flat_name(module)
        if name not in files:
            files[name], needed = _rewrite(module)
            waiting += needed
    return files


def _rewrite(module: str) -> tuple[str, list[str]]:
    """The module's source with imports from the same folder, and the modules that those name."""
    source = _read(module)
    lines, tree, needed = source.splitlines(keepends=True), ast.parse(source), []
    guarded = {id(node) for block in ast.walk(tree) if isinstance(block, ast.Try) for node in ast.walk(block)}
    for node, imported in _package_imports(tree):
        if id(node) in guarded:  # optional: the code works without it, and transformers does not ask for it
            continue
        line = lines[node.lineno - 1]
        begin = f"from {imported} import"
        spec = find_spec(imported) if isinstance(node, ast.ImportFrom) and imported.startswith(f"{PACKAGE}.") else None
        if spec is None or spec.submodule_search_locations is not None or not line.startswith(begin):
            raise ExportError(
                f"cannot export {module}, line {node.lineno}: {line.strip()!r}. A module that a checkpoint carries "
                f"imports from this package at the top level and from single files only: from {PACKAGE}.a.b import c"
            )
        lines[node.lineno - 1] = line.replace(begin, f"from .{_flat_name(imported)} import", 1)
        needed.append(imported)
    notice = NOTICE.format(file=module.replace(".", "/") + ".py", version=__version__)
    return notice + "".join(lines), needed


def _read(module: str) -> str:
    return find_spec(module).loader.get_source(module)


def _package_imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module.partition(".")[0] == PACKAGE):
            yield node, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == PACKAGE:
                    yield node, alias.name


def _flat_name(module: str) -> str:
    """Name of a module's file in the checkpoint.

    transformers' own names (`modeling_x`) stay, and a pipeline's too: `Pipeline.save_pretrained` writes the file of
    its class under that name, which the export then replaces.
    """
    last = module.rpartition(".")[2]
    if last.startswith(("configuration_", "modeling_")) or module.startswith(f"{PACKAGE}.pipelines."):
        return last
    return module.replace(".", "_")


def _reference(cls: type) -> str:
    return f"{_flat_name(cls.__module__)}.{cls.__name__}"
