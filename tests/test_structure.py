"""The house as it is meant to be: who may import whom. A file that breaks a rule is named with its line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hf_arae

PACKAGE = Path(hf_arae.__file__).parent
# Lowest first: a room imports from itself and from those before it.
ROOMS = (
    "utils",  # knows nothing of models
    "storage",  # files that are whole or refused
    "losses",
    "nn",
    "data",
    "metrics",
    "hub",  # knows no family: a model says of itself what the Hub needs
    "training",  # knows no data type, no processor and no family
    "models",
    "pipelines",
    "latent",
    "evaluation",
    "onnx",
)


@cache
def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, typing_too: bool = False) -> Iterator[tuple[int, str, str]]:
    """Line, module and name of each import from the package, in functions too."""

    def walk(node: ast.AST) -> Iterator[tuple[int, str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test) and not typing_too:
                continue
            if isinstance(child, ast.ImportFrom) and (child.module or "").partition(".")[0] == "hf_arae":
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    yield child.lineno, whole if whole in modules() else child.module, alias.name
            yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


def room(module: str) -> str | None:
    return ([*module.split("."), None])[1]


def test_every_room_is_in_the_list():
    assert {room(module) for module in modules()} - {None, *ROOMS} == set()


def test_rooms_import_downwards_only():
    wrong = []
    for module, path in modules().items():
        for line, target, name in imports(path, typing_too=True):
            own, other = room(module), room(target)
            if own and (other is None or ROOMS.index(other) > ROOMS.index(own)):  # None: the package itself, on top
                wrong.append(f"{module}:{line} imports {name} of {target}")
    assert wrong == []


def test_files_import_one_another_in_no_circle():
    needs = {module: {target for _, target, _ in imports(path)} - {module} for module, path in modules().items()}
    while True:  # takes away what needs nothing of the rest, and what nothing of the rest needs: circles stay
        needed = set().union(*(targets & needs.keys() for targets in needs.values()))
        free = [module for module in needs if not needs[module] & needs.keys() or module not in needed]
        if not free:
            break
        for module in free:
            del needs[module]
    assert sorted(needs) == []


def test_private_names_stay_in_their_room():
    wrong = []
    for module, path in modules().items():
        for line, target, name in imports(path, typing_too=True):
            private = any(part.startswith("_") and not part.startswith("__") for part in (*target.split("."), name))
            if private and room(module) != room(target):
                wrong.append(f"{module}:{line} imports {name} of {target}")
    assert wrong == []


def test_the_loop_knows_no_kind_of_data():
    words = ("sentence", "tokenizer", "vocab")
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted((PACKAGE / "training").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(word in line.lower() for word in words)
    ]
    assert found == []
