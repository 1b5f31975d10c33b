"""JSON web tokens: what a signature proves, and the ways to forge one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.auth.jwt import JwtSource
from swarmwire_broker.auth.keys import StaticKey, public_key, secret_key
from swarmwire_broker.auth.login import Login
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .conftest import PrivateKey, Sign

SECRET = "an honest secret of enough length"


def source(**settings: Any) -> JwtSource:
    return JwtSource(StaticKey(secret_key(SECRET)), **settings)


async def accepted(token: str, **settings: Any) -> Login:
    login = await source(**settings).verify(token)
    assert login is not None
    return login


async def refusal(token: str, **settings: Any) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as caught:
        await source(**settings).verify(token)
    return caught.value


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by_hand(header: object, claims: object, secret: bytes = SECRET.encode()) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


# ---- What is accepted


async def test_a_good_token_tells_who_until_when_and_what(sign: Sign) -> None:
    ends, made = int(time.time()) + 60, int(time.time()) - 5
    token = sign(SECRET, exp=ends, iat=made, jti="t1", permissions={"publish": ["a.#"], "admin": True})
    login = await accepted(token)
    assert login.verified.subject == "alice"
    assert login.verified.expires_at == ends * 1000
    assert login.verified.token_id == "t1"
    assert login.verified.permissions == Permissions(publish=["a.#"], admin=True)
    assert login.issued_at == made * 1000


async def test_a_token_may_go_without_an_end_and_without_an_id(sign: Sign) -> None:
    login = await accepted(sign(SECRET, exp=None))
    assert login.verified.expires_at is None
    assert login.verified.token_id is None
    assert login.issued_at is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_verifies_what_its_private_key_signed(
    algorithm: str, private_keys: dict[str, PrivateKey], public_keys: dict[str, str], sign: Sign
) -> None:
    keys = StaticKey(public_key(public_keys[algorithm], [algorithm]))
    login = await JwtSource(keys).verify(sign(private_keys[algorithm], algorithm))
    assert login is not None
    assert login.verified.subject == "alice"


async def test_a_token_without_permissions_has_those_of_the_source(sign: Sign) -> None:
    default = Permissions(subscribe=["news.#"])
    assert (await accepted(sign(SECRET), permissions=default)).verified.permissions == default
    assert (await accepted(sign(SECRET))).verified.permissions == Permissions()
    stated = await accepted(sign(SECRET, permissions={}), permissions=default)
    assert stated.verified.permissions == Permissions()


# ---- Times


async def test_an_expired_token_is_told_so(sign: Sign) -> None:
    assert (await refusal(sign(SECRET, exp=int(time.time()) - 10))).code is ErrorCode.TOKEN_EXPIRED
    assert (await refusal(sign(SECRET, exp=0))).code is ErrorCode.TOKEN_EXPIRED


async def test_the_leeway_moves_the_end_of_the_login_too(sign: Sign) -> None:
    ended = int(time.time()) - 10
    login = await accepted(sign(SECRET, exp=ended), leeway=60)
    assert login.verified.expires_at == (ended + 60) * 1000


async def test_a_token_from_the_future_is_not_valid_yet(sign: Sign) -> None:
    later = int(time.time()) + 1000
    assert (await refusal(sign(SECRET, exp=None, nbf=later))).message == "The token is not valid yet."
    assert (await refusal(sign(SECRET, exp=None, iat=later))).code is ErrorCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize("value", ["99999999999", 1e300])
async def test_an_end_that_is_no_time_is_refused_by_name(value: object, sign: Sign) -> None:
    error = await refusal(sign(SECRET, exp=value))
    assert (error.code, error.field) == (ErrorCode.AUTHENTICATION_FAILED, "exp")


# ---- Claims


@pytest.mark.parametrize(
    ("claims", "field"),
    [
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "anonymous:1"}, "sub"),
        ({"sub": "uid:0"}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": "x" * 257}, "sub"),
        ({"jti": 7}, "jti"),
        ({"iat": "x"}, "iat"),
        ({"iat": -1}, "iat"),
        ({"aud": "somebody"}, "aud"),
        ({"permissions": ["a"]}, "permissions"),
        ({"permissions": {"publish": ["a..b"]}}, "permissions.publish[0]"),
    ],
)
async def test_a_claim_that_is_wrong_is_refused_by_name(claims: dict[str, Any], field: str, sign: Sign) -> None:
    error = await refusal(sign(SECRET, **claims))
    assert (error.code, error.field) == (ErrorCode.AUTHENTICATION_FAILED, field)


async def test_the_audience_and_the_issuer_must_be_the_configured_ones(sign: Sign) -> None:
    wanted = {"audience": ["swarm", "hive"], "issuer": "https://id.example.org"}
    good = {"aud": ["other", "hive"], "iss": "https://id.example.org"}
    assert await accepted(sign(SECRET, **good), **wanted)
    assert (await refusal(sign(SECRET, **{**good, "aud": "other"}), **wanted)).field == "aud"
    assert (await refusal(sign(SECRET, **{**good, "aud": None}), **wanted)).field == "aud"
    assert (await refusal(sign(SECRET, **{**good, "iss": "https://evil.example"}), **wanted)).field == "iss"
    assert (await refusal(sign(SECRET, **{**good, "iss": None}), **wanted)).field == "iss"


# ---- Forgeries


async def test_a_token_signed_with_another_key_is_none_of_ours(sign: Sign) -> None:
    assert await source().verify(sign("another secret of enough length!")) is None


async def test_an_unsigned_token_is_none_of_ours(sign: Sign) -> None:
    unsigned = jwt.encode({"sub": "alice"}, "", algorithm="none")
    assert await source().verify(unsigned) is None
    for name in ("none", "None", "NONE", ""):
        assert await source().verify(f"{encoded({'alg': name})}.{encoded({'sub': 'alice'})}.") is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_signed_with_the_public_key_as_the_secret_is_none_of_ours(
    algorithm: str, public_keys: dict[str, str]
) -> None:
    pem = public_keys[algorithm]
    forged = signed_by_hand({"alg": "HS256"}, {"sub": "alice"}, pem.encode())
    everything = ["HS256", "RS256", "ES256", "EdDSA"]
    assert await JwtSource(StaticKey(public_key(pem, everything))).verify(forged) is None


async def test_the_hand_that_forges_can_also_sign() -> None:
    assert await accepted(signed_by_hand({"alg": "HS256"}, {"sub": "alice"}))


async def test_tampered_claims_are_none_of_ours(sign: Sign) -> None:
    header, _, signature = sign(SECRET).split(".")
    assert await source().verify(f"{header}.{encoded({'sub': 'root'})}.{signature}") is None


@given(st.data())
async def test_a_token_changed_anywhere_never_becomes_another_login(data: st.DataObject) -> None:
    token = jwt.encode({"sub": "alice"}, SECRET, algorithm="HS256")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != token[place]))
    login = await source().verify(token[:place] + other + token[place + 1 :])
    # The last letter of a signature has bits that say nothing: the same login may come out, no other.
    assert login is None or (place == len(token) - 1 and login.verified.subject == "alice")


@pytest.mark.parametrize(
    "claims",
    [b"\xff", b"[]", b"[" * 5000, b'{"sub": "a", "n": ' + b"1" * 5000 + b"}", b'{"sub": "a", "exp": NaN}',
     b'{"sub": "a", "exp": null}'],
)  # fmt: skip
async def test_claims_that_cannot_be_read_are_none_of_ours(claims: bytes) -> None:
    assert await source().verify(signed_by_hand({"alg": "HS256"}, claims)) is None


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", "\x00", "é.é.é", f"{encoded(b'[' * 9000)}.e30.AA", f"{encoded([])}.e30.AA"],
)
async def test_what_is_no_token_is_none_of_ours(token: str) -> None:
    assert await source().verify(token) is None
