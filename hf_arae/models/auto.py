"""The families of this package, and their registration with transformers' Auto classes.

A family is a folder `hf_arae/models/<name>/` with the files

- `configuration_<name>.py`: its config class, with `model_type = "<name>"`;
- `modeling_<name>.py`: its model classes, each with the Auto classes that build it in `auto_classes`;
- `objective_<name>.py`: how it is trained;
- `card_<name>.py`: the text of its model card.

What a file defines for others stands in its `__all__`; there may be more files of a kind, as
`objective_pairs.py`. Everything else is found from the one list here: the names that `hf_arae` has, registration,
cards, and the lists of families in the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from hf_arae.training.objective import Objective

FAMILIES = (
    "arae",
    "ae",
    "vae",
    "aae",
    "infilling",
    "rnn_lm",
    "ursae",
    "headline_selector",
    "glomo",
    "arae_image",
    "ae_image",
    "vae_image",
    "aae_image",
    "ebgan",
    "swwae",
    "glomo_image",
)

# Where transformers looks for the names of classes: its Trainer, to shift labels that it smooths, and its pipeline.
_ASKED_BY_NAME = {
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "AutoModelForImageClassification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
}
_PUBLIC = ("configuration", "modeling", "objective")  # kinds of files whose names `hf_arae` has
_ALL = re.compile(r"^__all__ = (\[.*?\])", re.MULTILINE | re.DOTALL)


class Family:
    """The classes of one family, found by the names of its files.

    Args:
        name: its folder below `hf_arae/models`, which is its `model_type` too.
    """

    def __init__(self, name: str):
        self.name = name

    @cached_property
    def config(self) -> type[PreTrainedConfig]:
        """The config class.

        Raises:
            ValueError: `configuration_<name>.py` does not define exactly one with this `model_type`.
        """
        found = [cls for cls in self._defined("configuration") if getattr(cls, "model_type", None) == self.name]
        if len(found) != 1:
            raise ValueError(
                f"the configuration files of the family {self.name} must define one config class with the model_type "
                f"{self.name!r}; found {len(found)}"
            )
        return found[0]

    @cached_property
    def models(self) -> dict[str, type[PreTrainedModel]]:
        """The model class that each Auto class, by its name in transformers, builds from the config.

        Raises:
            ValueError: two classes name the same Auto class, or none names any, or one names what is none.
        """
        import transformers

        found: dict[str, type[PreTrainedModel]] = {}
        for cls in self._defined("modeling"):
            auto_classes = getattr(cls, "auto_classes", ())
            if isinstance(auto_classes, str) or not all(hasattr(transformers, name) for name in auto_classes):
                raise ValueError(f"{cls.__name__}.auto_classes must hold names of transformers, got {auto_classes!r}")
            for auto_class in auto_classes:
                if auto_class in found:
                    raise ValueError(f"{auto_class} cannot build both {found[auto_class].__name__} and {cls.__name__}")
                found[auto_class] = cls
        if not found:
            raise ValueError(f"no model class of the family {self.name} names its Auto classes in `auto_classes`")
        return found

    @cached_property
    def model(self) -> type[PreTrainedModel]:
        """The model that `AutoModel` builds; of a family that it does not know, the first one."""
        return self.models.get("AutoModel") or next(iter(self.models.values()))

    @cached_property
    def objectives(self) -> tuple[type[Objective], ...]:
        """The objectives, the family's usual one first.

        Raises:
            ValueError: there is none.
        """
        from hf_arae.training.objective import Objective  # who only runs a model does not wait for the loop

        found = tuple(cls for cls in self._defined("objective") if issubclass(cls, Objective))
        if not found:
            raise ValueError(f"the objective files of the family {self.name} define no Objective in __all__")
        return found

    @cached_property
    def objective_arguments(self) -> type:
        """The dataclass of the usual objective's settings, `<objective>Arguments` in the same file.

        Raises:
            ValueError: there is none.
        """
        objective = self.objectives[0]
        name = f"{objective.__name__}Arguments"
        found = getattr(import_module(objective.__module__), name, None)
        if found is None:
            raise ValueError(f"{objective.__module__} defines no {name}, the settings of {objective.__name__}")
        return found

    def _defined(self, kind: str) -> Iterator[type]:
        for module, names in public_names(self.name, kind).items():
            yield from (value for name in names if isinstance(value := getattr(import_module(module), name), type))


def family(name: str) -> Family:
    """The family of a name or `model_type`; the same object at each call.

    Raises:
        ValueError: there is no such family; those that there are, are named.
    """
    if name not in FAMILIES:
        raise ValueError(f"there is no family {name!r}; accepted: {', '.join(FAMILIES)}")
    return _made(name)


_made = cache(Family)


def families() -> tuple[Family, ...]:
    """All families, in the order of `FAMILIES`."""
    return tuple(map(family, FAMILIES))


def public_names(name: str, *kinds: str) -> dict[str, list[str]]:
    """What the files of a family have in `__all__`, by the modules' names; nothing is imported for it.

    Args:
        name: of the family.
        kinds: `"configuration"`, `"modeling"`, `"objective"`; all of them if none is given.

    Raises:
        FileNotFoundError: the family has no file of a kind.
        ValueError: a file has no `__all__`, or one that is not a plain list.
    """
    folder, found = Path(__file__).parent / name, {}
    for kind in kinds or _PUBLIC:
        first = folder / f"{kind}_{name}.py"
        if not first.is_file():
            raise FileNotFoundError(f"the family {name} has no file {first}")
        for path in (first, *sorted(set(folder.glob(f"{kind}_*.py")) - {first})):
            listed = _ALL.search(path.read_text(encoding="utf-8"))
            if listed is None:
                raise ValueError(f"{path} has no list __all__ of what it defines for others")
            try:
                found[f"hf_arae.models.{name}.{path.stem}"] = ast.literal_eval(listed[1])
            except ValueError as error:
                raise ValueError(f"{path} has a list __all__ that is not one of plain names") from error
    return found


def modules_of_names() -> dict[str, str]:
    """The module of each name that families define for others; nothing is imported for it.

    Raises:
        FileNotFoundError, ValueError: as `public_names`; ValueError, too, for a name that two families define.
    """
    found: dict[str, str] = {}
    for name in FAMILIES:
        for module, listed in public_names(name).items():
            for one in listed:
                if found.setdefault(one, module) != module:
                    raise ValueError(
                        f"{found[one]} and {module} both define {one}: names of families are the package's"
                    )
    return found


def register() -> None:
    """Makes `AutoConfig`, `AutoModel` and the others know every family. Calling it again changes nothing."""
    import transformers
    from transformers.models.auto import modeling_auto
    from transformers.utils import is_vision_available

    from hf_arae.models.images.image_config import ImageConfig

    for one in families():
        transformers.AutoConfig.register(one.name, one.config, exist_ok=True)
        if issubclass(one.config, ImageConfig) and is_vision_available():
            processor = import_module("hf_arae.models.images.image_processing").AraeImageProcessor
            transformers.AutoImageProcessor.register(
                one.config, image_processor_classes={"pil": processor}, exist_ok=True
            )
        for auto_class, model_class in one.models.items():
            getattr(transformers, auto_class).register(one.config, model_class, exist_ok=True)
            if auto_class in _ASKED_BY_NAME:
                getattr(modeling_auto, _ASKED_BY_NAME[auto_class])[one.name] = model_class.__name__
