"""Users' data to JSON and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from .errors import ErrorCode, SwarmwireError

__all__ = ["decode_data", "encode_data"]


_null = re.compile(b"null").search
"""Faster than `in`, which first tries whether what it is to find is a number."""


def encode_data(value: object, field: str = "data") -> msgspec.Raw:
    """A value as JSON. Beside the JSON types: dataclasses, dates, UUIDs, enums and msgspec records.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what JSON cannot hold, NaN and infinities among it.
    """
    try:
        raw = orjson.dumps(value, default=msgspec.to_builtins)
    except orjson.JSONEncodeError as error:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, f"Expected data that JSON can hold: {error}.", field=field
        ) from error
    # A number that is none is written as null, so only where a null stands is there anything to look for.
    if _null(raw) and not _is_finite(msgspec.to_builtins(value)):
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, "Expected numbers; JSON holds no NaN and no infinity.", field=field
        )
    return msgspec.Raw(raw)


def _is_finite(value: Any) -> bool:
    """Whether all numbers in a value are; it is no deeper than the encoder has let through."""
    match value:
        case float():
            return math.isfinite(value)
        case Mapping():
            return all(map(_is_finite, value.values()))
        case list() | tuple():
            return all(map(_is_finite, value))
    return True


def decode_data(raw: msgspec.Raw) -> Any:
    """The value of a piece of JSON.

    Raises:
        SwarmwireError: INVALID_MESSAGE when it is not valid.
    """
    try:
        return orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, f"Expected data that is valid JSON: {error}.", field="data"
        ) from error
