"""Host and Origin: pages of this machine and of the broker itself, no others unless they are listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.transports.origin import Sites, check_allow_lists, check_host, check_origin, is_loopback

LOCAL = "127.0.0.1"
OPEN = "0.0.0.0"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"],
)
def test_loopback_names_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "example.org", "localhost.example.org", "notlocalhost", "127.0.0.1.example.org",
     "127.1", "127.0.0.01", "192.168.0.1", "[::2]", "::ffff:10.0.0.1", "[::1", "[[::1]]", "local host"],
)  # fmt: skip
def test_all_else_is_not(host: str) -> None:
    assert not is_loopback(host)


# ---- Host


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8765", "localhost.:8765", "dev.localhost:1", "127.0.0.1:8765", "[::1]:8765"]
)
def test_a_broker_on_loopback_answers_to_names_of_this_machine(host: str) -> None:
    assert check_host(host, bound_host=LOCAL)
    assert check_host(host, bound_host="localhost")
    assert check_host(host, bound_host="::1")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "192.168.0.7:8765", "localhost.evil.example", "127.0.0.1.evil.example"],
)
def test_a_broker_on_loopback_does_not_answer_to_a_foreign_name_that_points_to_it(host: str) -> None:
    assert not check_host(host, bound_host=LOCAL)


def test_a_listed_host_passes_on_loopback_beside_the_loopback_names() -> None:
    assert check_host("app.example.org", bound_host=LOCAL, allowed_hosts=["app.example.org"])
    assert check_host("localhost", bound_host=LOCAL, allowed_hosts=["app.example.org"])
    assert not check_host("evil.example", bound_host=LOCAL, allowed_hosts=["app.example.org"])


def test_elsewhere_any_well_formed_host_passes_unless_some_are_listed() -> None:
    assert check_host("whatever.example:99", bound_host=OPEN)
    assert check_host("App.Example.org.:99", bound_host=OPEN, allowed_hosts=["app.example.org"])
    assert not check_host("evil.example", bound_host=OPEN, allowed_hosts=["app.example.org"])
    assert not check_host("localhost", bound_host=OPEN, allowed_hosts=["app.example.org"])
    assert check_host("whatever.example", bound_host=OPEN, allowed_hosts=["*"])


def test_a_listed_port_must_be_the_same() -> None:
    allowed = ["app.example.org:8443", "web.example.org:443", "[2001:db8::1]:9"]
    assert check_host("app.example.org:8443", bound_host=OPEN, allowed_hosts=allowed)
    assert not check_host("app.example.org:8444", bound_host=OPEN, allowed_hosts=allowed)
    assert not check_host("app.example.org", bound_host=OPEN, allowed_hosts=allowed)
    assert check_host("web.example.org", bound_host=OPEN, allowed_hosts=allowed)
    assert check_host("[2001:DB8:0::1]:9", bound_host=OPEN, allowed_hosts=allowed)


MALFORMED = [
    None, "", " ", ":80", "a b", "localhost:", "localhost:x", "localhost:0", "localhost:65536", "localhost:123456",
    "localhost:\u0661", "user@localhost", "localhost/x", "localhost,evil", "::1", "[::1", "[::1]x", "[fe80::1%eth0]",
    "[localhost]", "a..b", ".localhost", "localhost..", "http://localhost", "\u017flocalhost", "a" * 300, "localhost\n",
]  # fmt: skip


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_passes_nowhere_but_where_any_may(host: str | None) -> None:
    assert not check_host(host, bound_host=LOCAL)
    assert not check_host(host, bound_host=OPEN)
    assert not check_host(host, bound_host=OPEN, allowed_hosts=["*"])


# ---- Origin


def test_a_request_without_an_origin_is_not_from_a_page() -> None:
    assert check_origin(None, "localhost", bound_host=LOCAL)
    assert check_origin(None, None, bound_host=OPEN, allowed_origins=["https://app.example.org"])


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:5173", "https://LOCALHOST", "http://127.0.0.1:3000", "http://[::1]:1", "http://dev.localhost"],
)
def test_on_loopback_every_page_of_this_machine_may(origin: str) -> None:
    assert check_origin(origin, "127.0.0.1:8765", bound_host=LOCAL)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "", "file://",
     "chrome-extension://abcdef", "http://localhost@evil.example", "http://evil.example/localhost", "localhost",
     "http://localhost/", "http://localhost http://evil.example", "//localhost", "http://", "ftp://localhost"],
)  # fmt: skip
def test_on_loopback_no_other_page_may(origin: str) -> None:
    assert not check_origin(origin, "127.0.0.1:8765", bound_host=LOCAL)


def test_pages_of_this_machine_may_not_talk_to_a_broker_for_all_machines() -> None:
    assert not check_origin("http://localhost:5173", "broker.example:8765", bound_host=OPEN)


def test_a_list_takes_the_place_of_pages_of_this_machine_but_not_of_the_brokers_own() -> None:
    allowed = ["https://app.example.org"]
    assert check_origin("https://app.example.org", "localhost:8765", bound_host=LOCAL, allowed_origins=allowed)
    assert not check_origin("http://localhost:5173", "localhost:8765", bound_host=LOCAL, allowed_origins=allowed)
    assert check_origin("http://localhost:8765", "localhost:8765", bound_host=LOCAL, allowed_origins=allowed)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://b.example:8765", "b.example:8765", True),
        ("http://B.example.:8765", "b.EXAMPLE:8765", True),
        ("http://b.example", "b.example", True),
        ("http://b.example", "b.example:80", True),
        ("http://b.example:80", "b.example", True),
        ("https://b.example", "b.example", True),
        ("https://b.example", "b.example:443", True),
        ("http://[2001:db8::1]:9", "[2001:DB8:0:0::1]:9", True),
        ("http://b.example:8766", "b.example:8765", False),
        ("http://b.example", "b.example:8765", False),
        ("https://b.example", "b.example:80", False),
        ("http://a.b.example", "b.example", False),
        ("http://b.example", None, False),
        ("http://b.example", "b.example:x", False),
        ("null", "null", False),
    ],
)
def test_the_same_origin_is_host_and_port_with_the_defaults_of_the_scheme(
    origin: str, host: str | None, same: bool
) -> None:
    assert check_origin(origin, host, bound_host=OPEN) is same


def test_over_tls_a_page_that_came_without_it_is_another_origin() -> None:
    assert check_origin("https://b.example", "b.example", bound_host=OPEN, scheme="wss")
    assert not check_origin("http://b.example", "b.example", bound_host=OPEN, scheme="wss")
    assert not check_origin("http://b.example", "b.example:80", bound_host=OPEN, scheme="https")


def test_listed_origins_are_compared_by_scheme_host_and_port() -> None:
    allowed = ["https://App.example.org:443", "wss://ws.example.org", "chrome-extension://AbC"]

    def may(origin: str) -> bool:
        return check_origin(origin, "b.example", bound_host=OPEN, allowed_origins=allowed)

    assert may("https://app.example.org")
    assert may("https://ws.example.org")
    assert may("chrome-extension://abc")
    assert not may("http://app.example.org")
    assert not may("https://app.example.org:8443")
    assert not may("https://app.example.org.evil.example")
    assert not may("chrome-extension://abcd")


def test_null_passes_only_where_it_is_listed() -> None:
    assert check_origin("null", "b.example", bound_host=OPEN, allowed_origins=["null"])
    assert check_origin("null", "b.example", bound_host=OPEN, allowed_origins=["*"])
    assert not check_origin("null", "b.example", bound_host=OPEN, allowed_origins=["https://null"])


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_too_odd_to_be_decided(origin: str, host: str) -> None:
    assert check_host(host, bound_host=LOCAL) in (True, False)
    assert check_origin(origin, host, bound_host=LOCAL) in (True, False)


# ---- Both


def test_a_request_must_pass_both_checks() -> None:
    sites = Sites(bound_host=LOCAL, allowed_hosts=["app.example.org"], allowed_origins=["https://app.example.org"])
    assert sites.refusal("app.example.org", "https://app.example.org", "ws") is None
    assert sites.refusal("localhost", None, "ws") is None
    assert "allowed_hosts" in str(sites.refusal("evil.example", "https://app.example.org", "ws"))
    assert "allowed_origins" in str(sites.refusal("localhost", "https://evil.example", "ws"))


@given(st.text(max_size=9), st.none() | st.sampled_from(["http://localhost", "null", "x" * 600]), st.booleans())
def test_a_remembered_decision_is_the_same(host: str, origin: str | None, is_secure: bool) -> None:
    sites = Sites(bound_host=LOCAL, allowed_origins=["null"])
    scheme = "wss" if is_secure else "ws"
    allowed = check_host(host, bound_host=LOCAL) and check_origin(
        origin, host, bound_host=LOCAL, allowed_origins=["null"], scheme=scheme
    )
    assert [sites.refusal(host, origin, scheme) is None for _ in range(2)] == [allowed] * 2


def test_what_is_long_is_decided_and_not_remembered() -> None:
    sites = Sites(bound_host=LOCAL)
    for number in range(3):
        assert sites.refusal("localhost", f"https://{'x' * 600}{number}", "ws") is not None
    assert sites._known.cache_info().currsize == 0


# ---- The lists


def test_lists_that_can_match_are_taken() -> None:
    check_allow_lists(
        allowed_origins=["*", "null", "https://app.example.org", "http://[::1]:8080", "chrome-extension://abc"],
        allowed_hosts=["*", "app.example.org", "app.example.org:8443", "[::1]"],
    )


@pytest.mark.parametrize(
    "entry", ["app.example.org", "https://app.example.org/", "https://", "https://a b", "http://a:0"]
)
def test_an_origin_that_could_never_match_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="allowed_origins"):
        check_allow_lists(allowed_origins=[entry])


@pytest.mark.parametrize("entry", ["https://app.example.org", "*.example.org", "a:b", ""])
def test_a_host_that_could_never_match_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="allowed_hosts"):
        check_allow_lists(allowed_hosts=[entry])
