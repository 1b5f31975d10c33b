"""The reader of ordinary upgrade requests: what it reads, and what it leaves to others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.utils import accept_key

from swarmwire_broker.transports.upgrade import (
    MAX_HEAD,
    Asked,
    Upgrade,
    UpgradeReader,
    bearer_token,
    request_line,
    switching_protocols,
)

LINE = b"GET /ws HTTP/1.1\r\n"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FIELDS = {
    "Host": "localhost:8765",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def head(*more: str, line: bytes = LINE, **changed: str | None) -> bytes:
    """An ordinary head; a field changed to None is left out, and `more` are lines behind the others."""
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return line + "".join(f"{text}\r\n" for text in (*lines, *more)).encode("latin-1") + b"\r\n"


def read(data: bytes) -> Asked | None:
    return UpgradeReader(LINE).read(data)


def test_an_ordinary_request_is_read() -> None:
    asked = read(head("Origin: http://localhost", "Sec-WebSocket-Protocol: a, swarmwire.v1", "Authorization: Bearer t"))
    assert asked is not None
    assert asked.upgrade == Upgrade("localhost:8765", "http://localhost", "Bearer t", ("a", "swarmwire.v1"))
    assert asked.key == KEY.encode()


def test_what_is_behind_the_head_is_told_by_its_end() -> None:
    data = head() + b"\x81\x80 and more"
    asked = read(data)
    assert asked is not None
    assert data[asked.end :] == b"\x81\x80 and more"


@pytest.mark.parametrize(
    "data",
    [
        head(Host="LOCALHOST", Upgrade="WebSocket", Connection="keep-alive, upgrade"),
        head("X-Empty:", "X-Tab:\ta\t", "Cookie: a=b; c=d", "Sec-WebSocket-Extensions: permessage-deflate"),
        head(Host=None),
    ],
    ids=["other letters", "other headers", "no host"],
)
def test_what_browsers_and_libraries_write_is_ordinary(data: bytes) -> None:
    assert read(data) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        head()[:-1],
        head()[:-2],
        head(line=b"GET /ws HTTP/1.0\r\n"),
        head(line=b"POST /ws HTTP/1.1\r\n"),
        head(line=b"GET /ws?a=b HTTP/1.1\r\n"),
        head(line=b"GET  /ws HTTP/1.1\r\n"),
        b"\r\n" + head(),
        head(Upgrade=None),
        head(Upgrade="h2c"),
        head(Connection=None),
        head(Connection="close"),
        head(Connection="Upgrade, close"),
        head(Sec_WebSocket_Version="12"),
        head(Sec_WebSocket_Version=None),
        head(Sec_WebSocket_Key=None),
        head(Sec_WebSocket_Key=KEY[:-1]),
        head(Sec_WebSocket_Key=f"{KEY}="),
        head(Sec_WebSocket_Key=f"{KEY} "),
        head(Sec_WebSocket_Key="!" + KEY[1:]),
        head(f"Sec-WebSocket-Key: {KEY}"),
        head(f"sec-websocket-key: {KEY}"),
        head("Host: other"),
        head("origin: a", "Origin: a"),
        head("X-A: 1", "x-a: 2"),
        head("Content-Length: 0"),
        head("Transfer-Encoding: chunked"),
        head("Expect: 100-continue"),
        head("Sec-WebSocket-Protocol: "),
        head("Sec-WebSocket-Protocol: a b"),
        head("Sec-WebSocket-Protocol: a,,b"),
        head("X-A : 1"),
        head(" folded: 1"),
        head("\tfolded"),
        head("no colon"),
        head(": no name"),
        head("X-A: \x00"),
        head("X-A: a\nX-B: b"),
        head("X-A: a\rX-B: b"),
        head("X-A: caf\xe9"),
        head("X-A: " + "a" * MAX_HEAD),
        head(*(f"X-{number}: a" for number in range(100))),
    ],
)  # fmt: skip
def test_whatever_is_not_ordinary_is_not_read(data: bytes) -> None:
    assert read(data) is None


def test_a_key_within_another_header_is_not_taken_for_the_key() -> None:
    assert read(head(f"X-A: Sec-WebSocket-Key: {KEY}", Sec_WebSocket_Key=None)) is None


def test_heads_that_differ_in_their_key_alone_are_read_once() -> None:
    reader = UpgradeReader(LINE)
    other = "AAAAAAAAAAAAAAAAAAAAAA=="
    first, second = reader.read(head()), reader.read(head(Sec_WebSocket_Key=other))
    assert first is not None
    assert second is not None
    assert second.upgrade is first.upgrade
    assert second.key == other.encode()


def test_a_head_with_a_token_is_not_remembered() -> None:
    reader = UpgradeReader(LINE)
    first, second = (reader.read(head("Authorization: Bearer secret")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert second.upgrade is not first.upgrade
    assert not reader._known


def test_of_many_kinds_of_heads_only_the_latest_are_remembered() -> None:
    reader = UpgradeReader(LINE)
    for number in range(1_000):
        assert reader.read(head(f"X-A: {number}")) is not None
    assert len(reader._known) == 256
    assert any(b"X-A: 999" in shape for shape in reader._known)


@given(data=st.data())
def test_a_head_changed_anywhere_is_read_as_itself_or_not_at_all(data: st.DataObject) -> None:
    reader = UpgradeReader(LINE)
    plain = head("Sec-WebSocket-Protocol: swarmwire.v1", "Origin: http://localhost")
    reader.read(plain)
    place = data.draw(st.integers(0, len(plain) - 1))
    changed = plain[:place] + data.draw(st.binary(max_size=4)) + plain[place + data.draw(st.integers(0, 4)) :]
    assert reader.read(changed) == read(changed), "what is remembered changes no answer"


def test_the_answer_hashes_the_key_and_names_the_subprotocol_if_it_was_offered() -> None:
    asked = read(head("Sec-WebSocket-Protocol: swarmwire.v1"))
    assert asked is not None
    assert switching_protocols(asked, b"server: s\r\n").decode() == (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(KEY)}\r\nserver: s\r\nSec-WebSocket-Protocol: swarmwire.v1\r\n\r\n"
    )
    bare = read(head())
    assert bare is not None
    assert b"Protocol:" not in switching_protocols(bare, b"")


@pytest.mark.parametrize("path", ["/", "/{id}", "/a b", "/a%20b", "/a//b", "/a/", "/é", "/a?b"])
def test_a_path_that_may_be_written_in_more_than_one_way_has_no_request_line(path: str) -> None:
    assert request_line(path) is None


def test_a_plain_path_has_one_request_line() -> None:
    assert request_line("/ws") == LINE
    assert request_line("/a/b-c.d_e~f") == b"GET /a/b-c.d_e~f HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None), ("", None), ("Bearer", None), ("Bearer  ", None), ("Basic abc", None),
        ("Bearer abc", "abc"), ("bearer  abc ", "abc"),
    ],
)  # fmt: skip
def test_a_bearer_token_is_read_of_its_header(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token
