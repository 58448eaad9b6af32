"""Packages that only some uses need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_PACKAGES = {"sklearn": "scikit-learn"}  # where the package to install has another name than the module


def import_extra(module: str, extra: str = "metrics") -> ModuleType:
    """Imports a module of an extra, or says how to install it.

    Args:
        module: its full name, such as `sklearn.svm`.
        extra: name of the extra in `pyproject.toml`.

    Raises:
        ImportError: its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        package = _PACKAGES.get(package, package)
        raise ImportError(f"{package} is not installed: pip install {package}, or hf_arae[{extra}]") from error
