"""Code that goes with a model to machines where this package is not installed, when it is staged or pushed.

The modules that a model needs are copied beside its weights, see `hf_arae.hub.flat_sources`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig
from transformers.utils import CONFIG_NAME

from hf_arae.hub.family import (
    config_class_of,
    has_own_class,
    image_processors_of,
    model_class_of,
    model_classes,
    pipelines_of,
)
from hf_arae.hub.flat_sources import EXPORTED, collect, flat_name
from hf_arae.storage.files import read_json, write_text
from hf_arae.storage.json_numbers import to_json

# transformers copies what the modeling file imports, and nothing else, when a model that was loaded from such a folder
# is saved again. This import keeps the pipeline with the model.
KEEP_PIPELINE = "\nfrom .{module} import {name}  # noqa: E402, F401 - goes where the model goes\n"
# The same for a class that another file defines. That file imports the modeling file, hence a function, which nobody
# calls: files are copied for imports anywhere.
KEEP_MODEL = """

def _goes_where_the_model_goes():
    from .{module} import {name}  # noqa: F401
"""
CODE_KEYS = ("auto_map", "custom_pipelines")  # of a config: where its model's source files are


def code_of(folder: str | os.PathLike) -> dict[str, str]:
    """What goes beside a saved model so that `trust_remote_code=True` loads it where this package is not installed.

    Args:
        folder: of a model of one of the families.

    Returns:
        Texts by the names of their files: the sources, and the model's `config.json` with `auto_map` and, where a
        pipeline accepts the model, `custom_pipelines`. Nothing for a model of a user's own class, whose code is the
        user's to publish.

    Raises:
        ExportError: a module that the model needs imports in a way that cannot be rewritten.
        OSError: the folder holds no config.
        ValueError: the model is of no family of this package.
    """
    config = AutoConfig.from_pretrained(folder)
    if not has_own_class(config):
        return {}
    content = read_json(Path(folder, CONFIG_NAME))
    content = {key: value for key, value in content.items() if key not in CODE_KEYS} | _references(config)
    # In order, as transformers writes it.
    named = to_json(json.loads(json.dumps(content, sort_keys=True)), indent=2) + "\n"
    return {**{f"{name}.py": source for name, source in _sources(config).items()}, CONFIG_NAME: named}


def write_code(folder: str | os.PathLike) -> None:
    """Writes `code_of` a folder into it; source files that an earlier version wrote, and this one does not, go.

    Raises:
        ExportError, OSError, ValueError: as `code_of`. Nothing was written then.
    """
    folder, files = Path(folder), code_of(folder)
    for name, text in files.items():
        write_text(folder / name, text)
    for path in folder.glob("*.py"):
        if path.name not in files and is_exported(path):
            path.unlink()


def is_exported(path: Path) -> bool:
    """Whether a source file is one that a repository carries."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return EXPORTED in file.read(500)


def _references(config: PreTrainedConfig) -> dict[str, dict]:
    """What a config says of its model's source files."""
    config_class = config_class_of(config.model_type)
    found = {"AutoConfig": _reference(config_class)}
    for cls in model_classes(config_class):
        found |= {auto_class: _reference(cls) for auto_class in cls.auto_classes}
    for cls in image_processors_of(config):
        found["AutoImageProcessor"] = _reference(cls)
    # By the family's name too, not under the task's own: pipeline(task, model) would then ask for trust_remote_code
    # even where the package is installed.
    custom = {
        f"{config.model_type}-{task}": {
            "impl": _reference(pipeline),
            "pt": [cls.__name__ for cls in pipeline.auto_models if cls.__name__ in found],
        }
        for task, pipeline in pipelines_of(config).items()
    }
    return {"auto_map": found} | ({"custom_pipelines": custom} if custom else {})


def _sources(config: PreTrainedConfig) -> dict[str, str]:
    """Source files that a model carries, by their names without `.py`."""
    config_class, pipelines = config_class_of(config.model_type), pipelines_of(config).values()
    classes = (config_class, *model_classes(config_class), *image_processors_of(config), *pipelines)
    files = collect(sorted({cls.__module__ for cls in classes}))
    modeling = flat_name(model_class_of(config).__module__)
    for cls in (*model_classes(config_class), *image_processors_of(config)):
        module = flat_name(cls.__module__)
        if module != modeling and f"from .{module} import" not in files[modeling]:
            files[modeling] += KEEP_MODEL.format(module=module, name=cls.__name__)
    for pipeline in pipelines:
        files[modeling] += KEEP_PIPELINE.format(module=flat_name(pipeline.__module__), name=pipeline.__name__)
    return files


def _reference(cls: type) -> str:
    return f"{flat_name(cls.__module__)}.{cls.__name__}"
