"""Checkpoints that carry their own code, for machines where this package is not installed.

The modules that a model needs are copied beside its weights, see `hf_arae.hub.flat_sources`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME

from hf_arae.hub.flat_sources import EXPORTED, PACKAGE, ExportError, collect, flat_name
from hf_arae.models.auto import Family, families
from hf_arae.pipelines.auto import TASKS
from hf_arae.storage.files import write_json
from hf_arae.storage.wholeness import DIGESTS_FILE, check_result, digests_of

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
    _write(Path(save_directory), code_files(model_class, model.config))
    _forget_code(model.config)
    for name, value in _references(model_class, model.config).items():
        setattr(model.config, name, value)


def renew_code(folder: Path, model_class: type[PreTrainedModel]) -> None:
    """Writes the source files of a checkpoint anew, as this version has them; weights and words stay as they are.

    Args:
        folder: of the checkpoint. Source files in it that an earlier export wrote, and this one does not, go.
        model_class: the model's, of one of the families.

    Raises:
        ExportError: as `export_code`.
        OSError: the folder holds no checkpoint, or not a whole one.
    """
    check_result(folder)
    config = AutoConfig.from_pretrained(folder)
    files = code_files(model_class, config)
    _write(folder, files)
    for path in folder.glob("*.py"):
        if path.stem not in files and is_exported(path):
            path.unlink()
    path = folder / CONFIG_NAME
    content = json.loads(path.read_text(encoding="utf-8"))
    renewed = {key: value for key, value in content.items() if key not in ("auto_map", "custom_pipelines")}
    renewed |= _references(model_class, config)
    if renewed != content:
        write_json(path, json.loads(json.dumps(renewed, sort_keys=True)))  # in order, as transformers writes it
        if (folder / DIGESTS_FILE).is_file():
            write_json(folder / DIGESTS_FILE, digests_of(folder))


def is_exported(path: Path) -> bool:
    """Whether a source file is one that a checkpoint carries."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return EXPORTED in file.read(500)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        unfinished = folder / f".{name}.py.unfinished"
        unfinished.write_text(source, encoding="utf-8")
        unfinished.replace(folder / f"{name}.py")


def _references(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> dict[str, dict]:
    """What a config says of its model's source files."""
    family, pipelines = _parts(model_class, config)
    auto_map = {auto_class: _reference(cls) for auto_class, cls in family.models.items()}
    # By the family's name too, not under the task's own: pipeline(task, model) would then ask for trust_remote_code
    # even where the package is installed.
    custom = {
        f"{family.config.model_type}-{task}": {
            "impl": _reference(pipeline),
            "pt": [cls.__name__ for cls in pipeline.auto_models],
        }
        for task, pipeline in pipelines.items()
    }
    found = {"auto_map": {"AutoConfig": _reference(family.config), **auto_map}}
    return found | ({"custom_pipelines": custom} if custom else {})


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
    family = next((family for family in families() if model_class in family.models.values()), None)
    if family is None:
        raise ExportError(f"{model_class.__name__} is not in the list of families, hf_arae.models.auto.FAMILIES")
    return family, {task: pipeline for task, pipeline in TASKS.items() if pipeline.accepts(config)}


def _forget_code(config: PreTrainedConfig) -> None:
    """Removes references to source files, which a config that was loaded from elsewhere may hold."""
    for name in ("auto_map", "custom_pipelines"):
        vars(config).pop(name, None)


def _reference(cls: type) -> str:
    return f"{flat_name(cls.__module__)}.{cls.__name__}"
