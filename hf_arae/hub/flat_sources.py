"""Modules of this package side by side in one folder, where the package is not installed.

What loads code out of a repository (transformers, evaluate) takes one folder, and imports of the form
`from .file import name`. So modules are copied under flat names, with their imports rewritten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

from hf_arae.utils.version import VERSION

PACKAGE = "hf_arae"
EXPORTED = f"# Exported from {PACKAGE}/"
NOTICE = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Exported from {file} of hf_arae {version}.\n"
    "# Edits belong there: this file is written anew whenever its repository is staged or pushed.\n"
)


class ExportError(RuntimeError):
    """A module cannot stand in a repository without this package."""


def collect(modules: list[str]) -> dict[str, str]:
    """Sources by flat name, of the modules and of all that they import from the package.

    Args:
        modules: full names, such as `hf_arae.nn.mlp`.

    Raises:
        ExportError: a module imports in a way that cannot be rewritten.
    """
    files, waiting = {}, list(modules)
    while waiting:
        module = waiting.pop()
        name = flat_name(module)
        if name not in files:
            files[name], needed = _rewrite(module, _read(module))
            waiting += needed
    return files


@cache  # a run may push the same sources with every checkpoint
def _rewrite(module: str, source: str) -> tuple[str, list[str]]:
    """The module's source with imports from the same folder, and the modules that those name. Not to be changed."""
    lines, tree, needed = source.splitlines(keepends=True), ast.parse(source), []
    for node, imported in _package_imports(tree):
        line = lines[node.lineno - 1]
        begin = f"from {imported} import"
        spec = find_spec(imported) if isinstance(node, ast.ImportFrom) and imported.startswith(f"{PACKAGE}.") else None
        if spec is None or spec.submodule_search_locations is not None or not line.startswith(begin):
            raise ExportError(
                f"cannot export {module}, line {node.lineno}: {line.strip()!r}. A module that a repository carries "
                f"imports from this package at the top level and from single files only: from {PACKAGE}.a.b import c"
            )
        lines[node.lineno - 1] = line.replace(begin, f"from .{flat_name(imported)} import", 1)
        needed.append(imported)
    notice = NOTICE.format(file=module.replace(".", "/") + ".py", version=VERSION)
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


def flat_name(module: str) -> str:
    """Name of a module's file in a repository; transformers' own names (`modeling_x`) stay, and a pipeline's."""
    last = module.rpartition(".")[2]
    if last.startswith(("configuration_", "modeling_")) or module.startswith(f"{PACKAGE}.pipelines."):
        return last
    return module.replace(".", "_")
