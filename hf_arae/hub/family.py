"""What the Hub needs of a family, found from its config class by the names of the family's files.

`hf_arae/models/<name>/` has `configuration_<name>.py`, `modeling_<name>.py` and `card_<name>.py`; pipelines are those
that are registered with transformers and say by `accepts(config)` which models they run.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from transformers import CONFIG_MAPPING, IMAGE_PROCESSOR_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.pipelines import PIPELINE_REGISTRY

from hf_arae.hub.card_text import CardText
from hf_arae.hub.flat_sources import PACKAGE


def config_class_of(model_type: str | None) -> type[PreTrainedConfig]:
    """The config class of a family.

    Raises:
        ValueError: this package has no such family.
    """
    if model_type not in CONFIG_MAPPING or not is_ours(CONFIG_MAPPING[model_type]):
        raise ValueError(f"{model_type!r} is no model_type of {PACKAGE}: accepted are those of its own families")
    return CONFIG_MAPPING[model_type]


def model_classes(config_class: type[PreTrainedConfig]) -> list[type[PreTrainedModel]]:
    """The model classes of a family that Auto classes build, those of `modeling_<name>.py` first."""
    package, name = _place(config_class)
    first = f"modeling_{name}"
    others = (module.name for module in iter_modules(import_module(package).__path__))
    modules = [first, *(other for other in others if other.startswith("modeling_") and other != first)]
    return [
        cls
        for module in (import_module(f"{package}.{module}") for module in modules)
        for cls in vars(module).values()
        if getattr(cls, "auto_classes", ()) and cls.__module__ == module.__name__ and cls.__name__ in module.__all__
    ]


def model_class_of(config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class that a config of one of the families names; one of a user's own is read as the family's first.

    Raises:
        ValueError: the config is of no family of this package.
    """
    classes = model_classes(config_class_of(config.model_type))
    return next((cls for cls in classes if [cls.__name__] == config.architectures), classes[0])


def image_processors_of(config: PreTrainedConfig) -> list[type]:
    """The image processors of this package that go with a model of this config."""
    known = IMAGE_PROCESSOR_MAPPING.get(type(config), {})
    return [cls for cls in known.values() if isinstance(cls, type) and is_ours(cls)]


def has_own_class(config: PreTrainedConfig) -> bool:
    """Whether the class that a config names is one of its family's, and not one of a user's own."""
    return [model_class_of(config).__name__] == config.architectures


def card_text(config: PreTrainedConfig, architecture: str | None = None) -> CardText:
    """What the card of a model says.

    Args:
        config: the model's.
        architecture: name of its class; that of the config, which only a saved model's has, if `None`.

    Raises:
        ValueError: the config is of no family of this package, or its family has no card.
    """
    package, name = _place(config_class_of(config.model_type))
    module = f"{package}.card_{name}"
    if find_spec(module) is None:
        raise ValueError(f"the family {name!r} has no card: there is no file {module.replace('.', '/')}.py")
    return import_module(module).CARD.of(config, architecture or (config.architectures or [""])[0])


def pipelines_of(config: PreTrainedConfig) -> dict[str, type]:
    """The pipelines of this package that accept a model of this config, by their tasks."""
    known = {task: entry["impl"] for task, entry in PIPELINE_REGISTRY.supported_tasks.items()}  # names, at first
    ours = {task: cls for task, cls in known.items() if isinstance(cls, type) and is_ours(cls)}
    return {task: cls for task, cls in ours.items() if hasattr(cls, "accepts") and cls.accepts(config)}


def is_ours(cls: type) -> bool:
    """Whether a class is of this package, installed, and not a copy that a repository brought."""
    return cls.__module__.partition(".")[0] == PACKAGE


def _place(config_class: type[PreTrainedConfig]) -> tuple[str, str]:
    """The package that a family's files are in, and the family's name."""
    package = config_class.__module__.rpartition(".")[0]
    return package, package.rpartition(".")[2]
