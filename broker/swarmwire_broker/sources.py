"""Where settings come from: text of flags and variables, values of a TOML file, checked against a record.

What may live here: names, types and origins of settings. What they mean stands in `config.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Struct, inspect

from .core.settings import LogRule, RateLimit

__all__ = ["ConfigError", "Given", "Setting", "build", "check", "flatten", "nearest", "parse", "settings_of"]

_BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SHOWN = 80
_T = TypeVar("_T", bound=Struct)


class ConfigError(ValueError):
    """A setting that cannot be used: one sentence that names it, where it came from, and what was expected.

    Attributes:
        settings: the names of the settings at fault, such as `limits.max_connections`.
    """

    def __init__(self, message: str, *settings: str) -> None:
        super().__init__(message)
        self.settings = settings


class Setting(NamedTuple):
    """One setting: its dotted name, its type, its default, and whether its value may never be shown."""

    name: str
    type: inspect.Type
    annotation: Any
    default: Any
    secret: bool

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return "SWARMWIRE_" + self.name.replace(".", "_").upper()

    @property
    def optional(self) -> bool:
        """Whether `none` is a value."""
        return isinstance(self.type, inspect.UnionType) and self.type.includes_none


class Given(NamedTuple):
    """A value as it was given, the place it came from in words, and whether text is still to be parsed."""

    value: object
    source: str
    is_text: bool = False


def settings_of(record: type[Struct], secrets: frozenset[str] = frozenset(), prefix: str = "") -> Iterator[Setting]:
    """Every setting of a record, records within it included, in the order they are written."""
    hints = get_type_hints(record, include_extras=True)
    for field in inspect.type_info(record).fields:  # type: ignore[attr-defined]
        name = prefix + field.name
        if (group := _group(field.type)) is not None:
            yield from settings_of(group, secrets, name + ".")
        else:
            default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            yield Setting(name, field.type, hints[field.name], default, field.name in secrets)


def build(record: type[_T], values: Mapping[str, Any], prefix: str = "") -> _T:
    """The record with these values; what is not among them keeps its default."""
    arguments: dict[str, Any] = {}
    for field in inspect.type_info(record).fields:  # type: ignore[attr-defined]
        name = prefix + field.name
        if name in values:
            arguments[field.name] = values[name]
        elif (group := _group(field.type)) is not None and any(key.startswith(name + ".") for key in values):
            arguments[field.name] = build(group, values, name + ".")
    return record(**arguments)


def _group(kind: inspect.Type) -> type[Struct] | None:
    """The record whose fields are settings of their own. A rate limit is one value."""
    for member in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
        if isinstance(member, inspect.StructType) and member.cls is not RateLimit:
            return member.cls
    return None


def flatten(
    table: Mapping[str, object], settings: Mapping[str, Setting], source: str, prefix: str = ""
) -> dict[str, Given]:
    """The settings in a TOML table by their dotted names. Raises ConfigError for a key that is none."""
    found: dict[str, Given] = {}
    for key, value in table.items():
        name = prefix + key
        if name in settings:
            found[name] = Given(value, source)
        elif not any(known.startswith(name + ".") for known in settings):
            raise ConfigError(f"{name} ({source}) is not a setting{nearest(name, settings)}", name)
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{name} ({source}): expected a table, got {_kind(value)}", name)  # it may be a secret
        else:
            found |= flatten(value, settings, source, name + ".")
    return found


def nearest(name: str, known: Mapping[str, object]) -> str:
    """The end of a sentence that suggests what may have been meant, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def parse(setting: Setting, text: str, source: str) -> Any:
    """The value that the text of a flag or a variable stands for. Raises ConfigError naming setting and source."""
    if setting.optional and text.strip().lower() == "none":
        return None
    try:
        value = _read(_value_type(setting.type), text)
    except ValueError:
        raise _refusal(setting, text, source) from None
    return check(setting, value, source)


def check(setting: Setting, value: object, source: str) -> Any:
    """The value if it has the type of the setting. Raises ConfigError naming setting and source."""
    if setting.optional and isinstance(value, str) and value.lower() == "none":
        return None  # TOML has no word of its own for it
    try:
        converted = msgspec.convert(value, setting.annotation)
    except msgspec.ValidationError as error:
        detail = f": {error}" if isinstance(value, dict) else ""
        raise _refusal(setting, value, source, detail) from None
    if not _finite(converted):
        raise _refusal(setting, value, source)
    return converted


def _value_type(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.UnionType):
        return next(member for member in kind.types if not isinstance(member, inspect.NoneType))
    return kind


def _read(kind: inspect.Type, text: str) -> object:
    """Raises ValueError for a text that cannot be read as this type."""
    match kind:
        case inspect.BoolType():
            if (value := _BOOLS.get(text.strip().lower())) is None:
                raise ValueError(text)
            return value
        case inspect.IntType():
            return int(text)
        case inspect.FloatType():
            return float(text)
        case inspect.ListType(item_type=item_type):
            return [_read(item_type, item) for part in text.split(",") if (item := part.strip())]
        case inspect.DictType(value_type=value_type):
            pairs = (entry.rpartition("=") for entry in text.split())
            return {pattern: _read(value_type, rate) for pattern, _, rate in pairs}
        case inspect.StructType(cls=cls) if cls is LogRule:
            parts = (part.partition(":") for part in text.split(","))
            return {name: None if limit.lower() == "none" else int(limit) for name, _, limit in parts}
        case inspect.StructType():
            rate, _, burst = text.partition(",")
            return {"rate": float(rate), "burst": float(burst) if burst else None}
        case _:
            return text


def _finite(value: object) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case RateLimit(rate=rate, burst=burst):
            return math.isfinite(rate) and (burst is None or math.isfinite(burst))
        case dict():
            return all(_finite(item) for item in value.values())
        case _:
            return True


def _refusal(setting: Setting, value: object, source: str, detail: str = "") -> ConfigError:
    got = f"{_kind(value)} that is not shown" if setting.secret else _shown(value)
    sentence = f"{setting.name} ({source}): expected {_describe(setting.type)}, got {got}{detail}"
    return ConfigError(sentence, setting.name)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
}


def _shown(value: object) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(_describe(member) for member in types)
        case inspect.NoneType():
            return "none"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return "a whole number" + _bounds(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "a number" + _bounds(low, high)
        case inspect.ListType(item_type=inspect.IntType()):
            return "a list of whole numbers"
        case inspect.ListType():
            return "a list of texts"
        case inspect.DictType(value_type=inspect.StructType(cls=cls)) if cls is LogRule:
            return "limits by topic pattern (quoted in TOML), as in 'agent.#=events:1000,age_ms:60000'"
        case inspect.DictType():
            return "rates by topic pattern (quoted in TOML), as in 'agent.#=100,200'"
        case inspect.StructType():
            return "a rate with or without a burst, as in '100,200'"
        case inspect.StrType(pattern=pattern) if pattern is not None:
            return f"text like {pattern}"
        case _:
            return "text"


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f" of at least {low}" if high is None else f" from {low} to {high}"
