"""How a process comes to take the local hub for the Hub.

huggingface_hub, transformers, datasets and evaluate read their environment once, at import, and keep what they read in
module variables, in copies of these, and in shared clients. A child process simply starts with the right environment.
Within a running process, `take_over` exchanges the values wherever those packages keep them, and exchanges them back:
also in modules that were imported in between.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from .child.sitecustomize import sleep

PACKAGES = ("huggingface_hub", "transformers", "datasets", "evaluate")
ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("child")


def variables(url: str, home: Path) -> dict[str, str]:
    """The environment of a process that uses the hub at `url` and keeps all it stores in the folder `home`."""
    return {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def child_environment(url: str, home: Path, blocked: Sequence[str]) -> dict[str, str]:
    """The whole environment of a child process, which can import what this repository holds unless it is blocked."""
    foreign = ("HF_", "HUGGING", "TRANSFORMERS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    search = [str(CHILD), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        **variables(url, home),
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOCAL_HUB_BLOCKED": " ".join(blocked),
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def take_over(url: str, home: Path, token: str) -> Iterator[None]:
    """Makes this very process use the hub at `url`, a cache in `home` and a token, until the end of the block.

    The client's waits between two tries are cut short.
    """
    for name in _READERS:
        import_module(name)  # before the environment changes, so that they know what to go back to
    from huggingface_hub import HfFileSystem, constants
    from huggingface_hub.utils import close_session

    old_url, flags, search_path, remote_code = constants.ENDPOINT, _flags(), list(sys.path), _forget_remote_code()
    # Variables such as HF_DATASETS_CACHE may lead out of HF_HOME. The narrower folder comes first.
    elsewhere = [name for name in os.environ if name.startswith(("HF_", "HUGGING")) and name.endswith(_FOLDERS)]
    folders = [(os.environ[name], str(home / name.lower())) for name in elsewhere] + [(constants.HF_HOME, str(home))]
    with patch.dict(os.environ, {**variables(url, home), "HF_TOKEN": token}), patch.object(time, "sleep", sleep):
        close_session()  # the next one sees the new environment
        for name in elsewhere:
            del os.environ[name]
        _exchange(old_url, url, folders)
        for module, name in flags:
            setattr(module, name, _FLAGS[name])
        # First: code that this process downloaded before may lie further on in the path, under the same package names.
        sys.path.insert(0, str(home / "modules"))
        invalidate_caches()
        try:
            yield
        finally:
            for (module, name), value in flags.items():
                setattr(module, name, value)
            _exchange(url, old_url, [(new, old) for old, new in folders])
            sys.path[:] = search_path  # remote code is imported from a folder in `home`
            _forget_remote_code()
            sys.modules.update(remote_code)
            HfFileSystem.clear_instance_cache()
            close_session()


def follow_environment() -> None:
    """Lets those packages have read the environment as it is now, in a process that imported them under another."""
    for name in _READERS:
        import_module(name)
    from huggingface_hub import constants

    home = os.environ.get("HF_HOME", constants.HF_HOME)
    if os.environ.get("HF_HUB_OFFLINE") == "0":
        for module, name in _flags():
            setattr(module, name, os.environ.get(name, str(int(_FLAGS[name]))) == "1")
    _exchange(constants.ENDPOINT, os.environ.get("HF_ENDPOINT", constants.ENDPOINT), [(constants.HF_HOME, home)])


_READERS = ("datasets.config", "evaluate.config", "transformers.dynamic_module_utils", "huggingface_hub.hf_api")
_FOLDERS = ("_CACHE", "_PATH")
_FLAGS = {
    "HF_HUB_OFFLINE": False,
    "HF_DATASETS_OFFLINE": False,
    "HF_EVALUATE_OFFLINE": False,
    "HF_UPDATE_DOWNLOAD_COUNTS": False,
    "USE_PARQUET_EXPORT": False,  # there is no dataset viewer
    "HF_HUB_DISABLE_XET": True,
    "HF_HUB_DISABLE_TELEMETRY": True,
}


def _modules() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in PACKAGES and module]


def _flags() -> dict[tuple[ModuleType, str], bool]:
    return {(m, name): vars(m)[name] for m in _modules() for name in _FLAGS if isinstance(vars(m).get(name), bool)}


def _forget_remote_code() -> dict[str, ModuleType]:
    """Drops the packages of downloaded code, whose folder changes with the cache, and returns them."""
    packages = ("transformers_modules", "datasets_modules", "evaluate_modules")
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in packages}


def _exchange(old_url: str, new_url: str, folders: list[tuple[str, str]]) -> None:
    """Replaces addresses that start with a URL, what lies in any of the folders, and the address of shared clients."""
    from huggingface_hub import HfApi, HfFileSystem

    def renamed(name: str, value: str | Path) -> str | Path:
        if name.startswith("_HF_DEFAULT") or name == "HUGGINGFACE_CO_URL_HOME":
            return value  # the real Hub, whichever is in use
        if isinstance(value, str) and value.startswith(old_url) and name.endswith(("ENDPOINT", "URL", "URL_TEMPLATE")):
            return new_url + value[len(old_url) :]
        for old, new in folders:
            if Path(value).is_relative_to(old):
                return type(value)(Path(new) / Path(value).relative_to(old))
        return value

    for module in _modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, (HfApi, HfFileSystem)) and value.endpoint == old_url:
                value.endpoint = new_url
            elif isinstance(value, (str, Path)) and (new := renamed(name, value)) is not value:
                setattr(module, name, new)
