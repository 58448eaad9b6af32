"""Checkpoints that carry their own code, for machines where this package is not installed.

The modules that a model needs are copied beside its weights, see `hf_arae.hub.flat_sources`.
"""

from __future__ import annotations

import os
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedModel

from hf_arae.hub.flat_sources import PACKAGE, ExportError, collect, flat_name
from hf_arae.models.auto import FAMILIES, Family
from hf_arae.pipelines.auto import TASKS

# transformers copies what the modeling file imports, and nothing else, when a model that was loaded from such a folder
# is saved again. This import keeps the pipeline with the model.
KEEP_PIPELINE = "\nfrom .{module} import {name}  # noqa: E402, F401 - goes where the model goes\n"


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
    family, pipelines = _parts(model_class, model.config)
    files = code_files(model_class, model.config)
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
    # By the family's name too, not under the task's own: pipeline(task, model) would then ask for trust_remote_code
    # even where the package is installed.
    if pipelines:
        model.config.custom_pipelines = {
            f"{family.config.model_type}-{task}": {
                "impl": _reference(pipeline),
                "pt": [cls.__name__ for cls in pipeline.auto_models],
            }
            for task, pipeline in pipelines.items()
        }


def code_files(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> dict[str, str]:
    """Source files that a model carries, by their names without `.py`.

    Args:
        model_class: of one of the families.
        config: the model's, which tells the pipelines that accept it.

    Raises:
        ExportError: as `export_code`.
    """
    family, pipelines = _parts(model_class, config)
    classes = {family.config, *family.models.values(), *pipelines.values()}
    files = collect(sorted(cls.__module__ for cls in classes), "save_pretrained")
    modeling = flat_name(model_class.__module__)
    for pipeline in pipelines.values():
        files[modeling] += KEEP_PIPELINE.format(module=flat_name(pipeline.__module__), name=pipeline.__name__)
    return files


def _parts(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> tuple[Family, dict[str, type]]:
    """A model's family, and the pipelines that accept it by their tasks."""
    family = next((family for family in FAMILIES if model_class in family.models.values()), None)
    if family is None:
        raise ExportError(f"{model_class.__name__} is not in the list of families, hf_arae.models.auto.FAMILIES")
    return family, {task: pipeline for task, pipeline in TASKS.items() if pipeline.accepts(config)}


def _forget_code(config: PreTrainedConfig) -> None:
    """Removes references to source files, which a config that was loaded from elsewhere may hold."""
    for name in ("auto_map", "custom_pipelines"):
        vars(config).pop(name, None)


def _reference(cls: type) -> str:
    return f"{flat_name(cls.__module__)}.{cls.__name__}"
