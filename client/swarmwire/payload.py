"""Users' data to JSON and back."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from .errors import ErrorCode, SwarmwireError

__all__ = ["decode_data", "encode_data"]


def encode_data(value: object, field: str = "data") -> msgspec.Raw:
    """A value as JSON. Beside the JSON types: dataclasses, dates, UUIDs, enums and msgspec records.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what JSON cannot hold.
    """
    try:
        return msgspec.Raw(orjson.dumps(value, default=msgspec.to_builtins))
    except orjson.JSONEncodeError as error:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, f"Expected data that JSON can hold: {error}.", field=field
        ) from error


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
