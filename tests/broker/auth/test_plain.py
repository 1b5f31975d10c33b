"""The plain token: what is read of it, and that nobody gets in by it whom pyjwt would refuse."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.auth.jwt import JwtSource
from swarmwire_broker.auth.keys import StaticKey, secret_key
from swarmwire_broker.auth.plain import PlainTokens
from swarmwire_protocol.errors import SwarmwireError

from .test_jwt import SECRET, encoded, signed_by_hand

PLAIN = PlainTokens(SECRET.encode())
BARE = b'{"alg":"HS256"}'


def by_pyjwt_alone(**settings: Any) -> JwtSource:
    source = JwtSource(StaticKey(secret_key(SECRET)), **settings)
    source._plain = None
    return source


def judged(source: JwtSource, token: str) -> object:
    """The login, or what was wrong in the words that the client hears."""
    try:
        return source.verify_now(token)
    except SwarmwireError as error:
        return error.code, error.field, error.message


def test_what_pyjwt_signs_is_plain() -> None:
    claims = {"sub": "alice", "exp": 1, "permissions": {"publish": ["a"]}}
    assert PLAIN.claims(jwt.encode(claims, SECRET, algorithm="HS256")) == claims


@pytest.mark.parametrize("header", [BARE, b'{"typ":"JWT","alg":"HS256"}'])
def test_headers_as_other_libraries_write_them_are_plain_too(header: bytes) -> None:
    assert PLAIN.claims(signed_by_hand(header, {"sub": "alice"})) == {"sub": "alice"}


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "é.é.é", "\ud800",
        signed_by_hand(b'{"alg": "HS256"}', {}),
        signed_by_hand({"alg": "none"}, {}),
        signed_by_hand({"alg": "HS512"}, {}),
        signed_by_hand({"alg": "HS256", "crit": ["b64"], "b64": False}, {}),
        signed_by_hand({"alg": "HS256", "kid": "a"}, {}),
        signed_by_hand(BARE, b"[]"),
        signed_by_hand(BARE, b"no json"),
        signed_by_hand(BARE, b"\xff"),
        signed_by_hand(BARE, b"[" * 5_000),
        signed_by_hand(BARE, b'{"sub": "a", "n": ' + b"1" * 5_000 + b"}"),
        signed_by_hand(BARE, {"sub": "a"}, b"another secret of enough length!"),
        signed_by_hand(BARE, {"sub": "a"}) + "=",
        f"{encoded(BARE)}.{encoded({'sub': 'a'})}.",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_pyjwt(token: str) -> None:
    assert PLAIN.claims(token) is None


def test_base64_that_is_not_canonical_is_left_to_pyjwt() -> None:
    token = signed_by_hand(BARE, {"sub": "ab"})
    last = token[-1]
    near = [token[:-1] + other for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_" if other != last]
    assert [PLAIN.claims(other) for other in near] == [None] * len(near)


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.integers(-100, 100).map(lambda seconds: int(time.time()) + seconds),
    st.sampled_from([2**53, 10**400, "alice", "uid:0", {"publish": ["a"]}]),
)  # fmt: skip
_CLAIMS = st.dictionaries(st.sampled_from(["sub", "exp", "nbf", "iat", "jti", "aud", "iss", "permissions"]), _VALUES)


@given(claims=_CLAIMS, subject=st.booleans(), leeway=st.sampled_from([0.0, 50.0]), issuer=st.sampled_from([None, "i"]))
def test_a_token_is_judged_as_by_pyjwt_alone(
    claims: dict[str, Any], subject: bool, leeway: float, issuer: str | None
) -> None:
    claims = {"sub": "alice", **claims} if subject else claims
    token = signed_by_hand(b'{"alg":"HS256","typ":"JWT"}', claims)
    with_plain = JwtSource(StaticKey(secret_key(SECRET)), leeway=leeway, issuer=issuer)
    assert judged(with_plain, token) == judged(by_pyjwt_alone(leeway=leeway, issuer=issuer), token)


@given(data=st.data())
def test_a_token_changed_anywhere_is_judged_as_by_pyjwt_alone(data: st.DataObject) -> None:
    token = jwt.encode({"sub": "alice", "permissions": {"subscribe": ["#"]}}, SECRET, algorithm="HS256")
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.text(max_size=3)) + token[place + data.draw(st.integers(0, 3)) :]
    source = JwtSource(StaticKey(secret_key(SECRET)))
    assert judged(source, changed) == judged(by_pyjwt_alone(), changed)


def test_an_audience_or_an_issuer_is_pyjwts_to_compare() -> None:
    keys = StaticKey(secret_key(SECRET))
    assert JwtSource(keys)._plain is not None
    assert JwtSource(keys, audience="a")._plain is None
    assert JwtSource(keys, issuer="i")._plain is None
