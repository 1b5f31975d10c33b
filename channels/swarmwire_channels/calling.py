"""Calling the broker from a channel, and reading what it answers."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack

import msgspec

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .pubsub import Calling, CallOptions

__all__ = ["ask"]

T = TypeVar("T")


async def ask(
    caller: object, method: str, params: dict[str, Any], answer: type[T], **options: Unpack[CallOptions]
) -> T:
    """Call a method and read its answer as a record; parameters that are None are left out.

    Raises:
        SwarmwireError: UNAVAILABLE where the caller cannot call, what the broker answers, and INVALID_MESSAGE for an
            answer that is no such record.
    """
    if not isinstance(caller, Calling):
        sentence = f"{method} is a call to the broker, and what this channel stands on cannot call."
        raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence)
    present = {name: value for name, value in params.items() if value is not None}
    data = await caller.call(method, present, **options)
    try:
        return msgspec.convert(data, answer)
    except msgspec.ValidationError as error:
        sentence = f"The answer to {method} is no {answer.__name__}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="data") from error
