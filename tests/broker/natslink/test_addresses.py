"""Where servers are, in which order they are tried, and that no secret shows."""

from __future__ import annotations

import pytest

from swarmwire_broker.natslink.addresses import Address, Servers, read_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("nats://localhost", Address("localhost", 4222, tls_name="localhost")),
        ("localhost:5", Address("localhost", 5, tls_name="localhost")),
        ("nats://[::1]:5", Address("::1", 5, tls_name="::1")),
        ("tls://n.example:5/", Address("n.example", 5, tls=True, tls_name="n.example")),
        ("nats://me:p%40ss@h:5", Address("h", 5, tls_name="h", user="me", password="p@ss")),
        ("nats://me:@h:5", Address("h", 5, tls_name="h", user="me", password="")),
        ("nats://to%2Fken@h", Address("h", 4222, tls_name="h", token="to/ken")),
    ],
)
def test_a_url_says_where_a_server_is_and_what_logs_in(url: str, address: Address) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://secret@h",
        "nats://",
        "nats://secret@",
        "nats://secret@h:99999",
        "nats://secret@h:port",
        "nats://secret@h/path",
        "nats://secret@h?x=1",
        "nats://secret@[::1",
        "nats://secret@h\u2100x",
    ],
)
def test_what_is_no_server_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"NATS server must be|port of a NATS server") as refused:
        read_address(url)
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_no_secret_shows() -> None:
    for url in ("nats://someone:hidden@h:5", "nats://hidden@h:5"):
        address = read_address(url)
        assert "hidden" not in repr(address) + str(address)
        assert "someone" not in repr(address) + str(address)
    assert str(read_address("tls://[::1]:5")) == "tls://[::1]:5"


def test_whoever_failed_comes_last() -> None:
    servers = Servers([f"nats://h{number}" for number in range(5)])
    first, *others = servers.in_order()
    servers.put_last(first)
    assert servers.in_order() == (*others, first)


def test_servers_that_one_tells_of_are_tried_with_its_login_and_its_name() -> None:
    servers = Servers(["tls://me:pw@n.example:4222"])
    (one,) = servers.in_order()
    servers.learn(one, ["n.example:4222", "10.0.0.1:4222", "other.example:4223", "no port:x", "[::1]:7"])
    told = {(each.host, each.port): each for each in servers.in_order()}
    assert set(told) == {("n.example", 4222), ("10.0.0.1", 4222), ("other.example", 4223), ("::1", 7)}
    assert all(each.tls and each.user == "me" and each.password == "pw" for each in told.values())
    assert told["10.0.0.1", 4222].tls_name == "n.example"
    assert told["other.example", 4223].tls_name == "other.example"


def test_servers_that_are_told_of_no_more_are_forgotten_and_the_configured_stay() -> None:
    servers = Servers(["nats://a", "nats://b"])
    servers.learn(read_address("nats://a"), ["c:1", "d:1"])
    servers.learn(read_address("nats://a"), ["d:1"])
    assert {each.host for each in servers.in_order()} == {"a", "b", "d"}
    servers.learn(read_address("nats://a"), [])
    assert {each.host for each in servers.in_order()} == {"a", "b"}


def test_a_server_must_be_named() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Servers([])
