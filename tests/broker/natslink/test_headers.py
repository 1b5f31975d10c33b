"""Headers are a raw block: made once, and looked into by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.natslink.headers import encode_headers, header, status_of

names = st.text("abcXYZ-", min_size=1, max_size=10).map(str.encode)
values = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n")).map(bytes.strip)


@given(st.dictionaries(names, values, max_size=5))
def test_what_is_written_is_read_again(pairs: dict[bytes, bytes]) -> None:
    block = encode_headers(pairs.items())
    assert block.startswith(b"NATS/1.0\r\n")
    assert block.endswith(b"\r\n\r\n")
    assert {name: header(block, name) for name in pairs} == pairs


def test_a_name_is_found_as_a_whole_and_not_within_another_or_a_value() -> None:
    block = encode_headers([(b"X-Name", b"Name: no"), (b"Name", b"yes"), (b"Name", b"later")])
    assert header(block, b"Name") == b"yes"
    assert header(block, b"Nam") is None
    assert header(b"", b"Name") is None


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"", 0),
        (b"NATS/1.0\r\n\r\n", 0),
        (b"NATS/1.0 503\r\n\r\n", 503),
        (b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 5\r\n\r\n", 100),
        (b"NATS/1.0\r\nA: 404\r\n\r\n", 0),
    ],
)
def test_the_status_is_in_the_first_line(block: bytes, status: int) -> None:
    assert status_of(block) == status


@pytest.mark.parametrize("pair", [(b"", b"a"), (b"a:b", b"c"), (b"a\r\nb", b"c"), (b"a", b"b\r\nc: d"), (b"a", b"b\n")])
def test_no_header_can_smuggle_another(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode_headers([pair])
