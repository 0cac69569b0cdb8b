"""Settings of a fitter as options of the command line: each field of a settings class names its option."""

from __future__ import annotations

from argparse import Namespace, _ArgumentGroup
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

_SHARED = ("seed", "device")  # options that all fitters have in common: see calibrate/detector_arguments.py

Settings = TypeVar("Settings", bound="OptionFields")


@dataclass(frozen=True, slots=True)
class _Option:
    flag: str
    keywords: dict[str, Any]  # of `add_argument`

    @property
    def destination(self) -> str:
        """Where argparse puts the value."""
        return self.flag.lstrip("-").replace("-", "_")


def option(flag: str, default: Any, *, stored: bool = True, **keywords: Any) -> Any:
    """Return a field of a settings class that the option `flag` asks for; `keywords` are those of `add_argument`.

    Without `stored` it does not stand in the manifest of a bundle (see `FitterSettings`).
    """
    return field(default=default, metadata={"option": _Option(flag, keywords), "stored": stored})


class OptionFields:
    """Mixed into a frozen dataclass whose fields are `option`s, and `seed` and `device` if it has them."""

    __slots__ = ()

    @classmethod
    def add_arguments(cls, group: _ArgumentGroup) -> None:
        """Declare its options."""
        for choice in fields(cls):  # type: ignore[arg-type]  # what it is mixed into is a dataclass
            if (declared := choice.metadata.get("option")) is not None:
                group.add_argument(declared.flag, default=choice.default, **declared.keywords)

    @classmethod
    def from_arguments(cls: type[Settings], arguments: Namespace) -> Settings:
        """The settings that options ask for."""
        values = {}
        for choice in fields(cls):  # type: ignore[arg-type]
            if (declared := choice.metadata.get("option")) is not None:
                values[choice.name] = getattr(arguments, declared.destination)
            elif choice.name in _SHARED:
                values[choice.name] = getattr(arguments, choice.name)
        return cls(**values)
