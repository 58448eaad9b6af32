"""Settings that a subclass has with another default."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any


def other_default(settings: type, name: str, default: Any) -> Any:
    """A field of a subclass that differs from its base's in the default alone: the help is the base's.

    Args:
        settings: the base, a dataclass.
        name: of its field.
        default: what the subclass has instead; no list.

    Raises:
        KeyError: the base has no such field.
    """
    metadata = {one.name: one.metadata for one in fields(settings)}[name]
    return field(default=default, metadata=metadata)
