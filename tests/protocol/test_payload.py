"""Users' data on its way to JSON; what comes back is seen where it is used."""

from __future__ import annotations

import math
from typing import Any

import pytest

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.payload import decode_data, encode_data


@pytest.mark.parametrize("value", [None, "null", {"null": None}, [1, None, 2.5], {"a": [{"b": None}]}])
def test_a_null_that_was_meant_passes(value: Any) -> None:
    assert decode_data(encode_data(value)) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("around", [lambda x: x, lambda x: ["null", x], lambda x: {"a": {"b": [None, x]}}])
def test_a_number_that_is_none_is_refused(around: Any, number: float) -> None:
    with pytest.raises(SwarmwireError) as caught:
        encode_data(around(number))
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "data")
