"""The authenticator: sources in order, who needs a token, and what is revoked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.auth import Revocations, build_authenticator, configured_authenticator
from swarmwire_broker.auth.chain import Chain
from swarmwire_broker.auth.login import MAX_TOKEN_BYTES, Login
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Authenticator, Peer, PromptAuthenticator, Verified
from swarmwire_broker.credentials import Auth
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .conftest import PrivateKey, Sign

SECRET = "an honest secret of enough length"
SOMEONE = Peer(transport="websocket", address="192.0.2.1")
LOCAL = Peer(transport="unix", subject="uid:1000")


def built(**settings: Any) -> Authenticator:
    authenticate = build_authenticator(**settings)
    assert authenticate is not None
    return authenticate


async def refusal(authenticate: Authenticator, token: str | None, peer: Peer = SOMEONE) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as caught:
        await authenticate(token, {}, peer)
    return caught.value


# ---- Sources


def test_where_nothing_is_configured_nobody_has_to_log_in() -> None:
    assert build_authenticator() is None


async def test_all_configured_sources_are_tried(
    private_keys: dict[str, PrivateKey], public_keys: dict[str, str], sign: Sign
) -> None:
    authenticate = built(
        token="sesame",
        token_subject="team",
        jwt_secret=SECRET,
        jwt_public_key=public_keys["ES256"],
        algorithms=["HS256", "ES256"],
    )
    assert (await authenticate("sesame", {}, SOMEONE)).subject == "team"
    assert (await authenticate(sign(SECRET, sub="bob"), {}, SOMEONE)).subject == "bob"
    assert (await authenticate(sign(private_keys["ES256"], "ES256"), {}, SOMEONE)).subject == "alice"


async def test_a_token_that_no_source_knows_is_refused_without_being_repeated(sign: Sign) -> None:
    authenticate = built(token="sesame", jwt_secret=SECRET)
    for token in ("", "open sesame", sign("another secret of enough length!")):
        error = await refusal(authenticate, token)
        assert error.code is ErrorCode.AUTHENTICATION_FAILED
        assert error.message == "The token was not accepted."


async def test_an_expired_token_is_told_so_though_other_sources_follow(public_keys: dict[str, str], sign: Sign) -> None:
    authenticate = built(jwt_secret=SECRET, jwt_public_key=public_keys["RS256"], algorithms=["HS256", "RS256"])
    expired = sign(SECRET, exp=int(time.time()) - 10)
    assert (await refusal(authenticate, expired)).code is ErrorCode.TOKEN_EXPIRED


async def test_a_token_with_the_request_counts_where_the_hello_has_none() -> None:
    authenticate = built(token="sesame")
    peer = Peer(transport="websocket", token="sesame")
    assert (await authenticate(None, {}, peer)).subject == "token"
    assert (await refusal(authenticate, "wrong", peer)).code is ErrorCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize("token", ["x" * (MAX_TOKEN_BYTES + 1), "é" * MAX_TOKEN_BYTES, "\ud800"])
async def test_a_token_that_is_too_long_or_no_text_is_refused(token: str) -> None:
    error = await refusal(built(token="sesame"), token)
    assert error.code is ErrorCode.AUTHENTICATION_FAILED


class Waits:
    """A source that is only ever awaited."""

    waits = True

    def verify_now(self, token: str) -> Login | None:
        raise AssertionError("it was asked at once")


class Away(Waits):
    """A source that cannot tell."""

    async def verify(self, token: str) -> Login | None:
        raise SwarmwireError(ErrorCode.UNAVAILABLE, retry_after_ms=1)


class Knows(Waits):
    """A source that knows one token."""

    async def verify(self, token: str) -> Login | None:
        verified = Verified(subject="known", permissions=Permissions())
        return Login(verified=verified) if token == "known" else None


async def test_a_source_that_cannot_tell_leaves_the_others_their_say() -> None:
    authenticate = Chain([Away(), Knows()])
    assert (await authenticate("known", {}, SOMEONE)).subject == "known"
    assert (await refusal(authenticate, "unknown")).code is ErrorCode.UNAVAILABLE


# ---- At once


def prompt(**settings: Any) -> PromptAuthenticator:
    authenticate = built(**settings)
    assert isinstance(authenticate, PromptAuthenticator)
    return authenticate


def subject(verified: Verified | None) -> str:
    assert verified is not None
    return verified.subject


async def test_sources_that_wait_for_nothing_answer_at_once_as_they_do_when_awaited(sign: Sign) -> None:
    authenticate = built(token="sesame", jwt_secret=SECRET)
    assert isinstance(authenticate, PromptAuthenticator)
    for token in ("sesame", sign(SECRET)):
        assert authenticate.at_once(token, SOMEONE) == await authenticate(token, {}, SOMEONE)
    for wrong in ("wrong", None, "\ud800", sign(SECRET, exp=1)):
        with pytest.raises(SwarmwireError) as caught:
            authenticate.at_once(wrong, SOMEONE)
        assert caught.value.code is (await refusal(authenticate, wrong)).code


def test_a_token_with_the_request_counts_at_once_too() -> None:
    peer = Peer(transport="websocket", token="sesame")
    assert subject(prompt(token="sesame").at_once(None, peer)) == "token"


def test_a_revoked_token_is_refused_at_once_too(sign: Sign) -> None:
    revocations = Revocations()
    authenticate = prompt(jwt_secret=SECRET, revocations=revocations)
    token = sign(SECRET, jti="t1")
    assert subject(authenticate.at_once(token, SOMEONE)) == "alice"
    revocations.revoke_token("t1")
    with pytest.raises(SwarmwireError, match="revoked"):
        authenticate.at_once(token, SOMEONE)


def test_where_a_source_may_wait_nothing_is_said_at_once() -> None:
    assert Chain([Knows()]).at_once("known", SOMEONE) is None


# ---- Without a token


async def test_without_a_token_nobody_comes_in() -> None:
    error = await refusal(built(token="sesame"), None)
    assert (error.code, error.message) == (ErrorCode.AUTHENTICATION_FAILED, "A token is needed.")
    assert (await refusal(built(token="sesame"), None, LOCAL)).message == "A token is needed."


async def test_whom_the_kernel_vouches_for_comes_in_without_a_token_where_that_is_configured() -> None:
    authenticate = built(token="sesame", local_permissions=EVERYTHING, local_subjects=["uid:1000"])
    assert await authenticate(None, {}, LOCAL) == Verified(subject="uid:1000", permissions=EVERYTHING)
    assert (await refusal(authenticate, None)).message == "A token is needed."
    assert (await refusal(authenticate, "wrong", LOCAL)).code is ErrorCode.AUTHENTICATION_FAILED
    stranger = Peer(transport="unix", subject="uid:1001")
    assert (await refusal(authenticate, None, stranger)).message == "A token is needed."


async def test_the_configuration_says_whether_the_own_user_needs_a_token() -> None:
    for local in ("token", "full"):
        authenticate = configured_authenticator(Auth(token="sesame", local=local), local_subjects=["uid:1000"])
        assert isinstance(authenticate, PromptAuthenticator)
        if local == "full":
            assert authenticate.at_once(None, LOCAL) == Verified(subject="uid:1000", permissions=EVERYTHING)
        else:
            with pytest.raises(SwarmwireError, match="A token is needed"):
                authenticate.at_once(None, LOCAL)


# ---- Revoked


async def test_a_revoked_token_is_refused(sign: Sign) -> None:
    revocations = Revocations()
    authenticate = built(jwt_secret=SECRET, revocations=revocations)
    revocations.revoke_token("t1")
    assert (await refusal(authenticate, sign(SECRET, jti="t1"))).message == "The login was revoked."
    assert await authenticate(sign(SECRET, jti="t2"), {}, SOMEONE)


async def test_a_revoked_subject_comes_in_with_a_newer_token_only(sign: Sign) -> None:
    now = int(time.time())
    revocations = Revocations(now_ms=lambda: (now - 10) * 1000)
    authenticate = built(jwt_secret=SECRET, revocations=revocations)
    revocations.revoke_subject("alice")
    assert (await refusal(authenticate, sign(SECRET, iat=now - 11))).message == "The login was revoked."
    assert (await refusal(authenticate, sign(SECRET))).message == "The login was revoked."
    assert await authenticate(sign(SECRET, iat=now - 9), {}, SOMEONE)


async def test_whom_the_kernel_vouches_for_can_be_revoked_too() -> None:
    revocations = Revocations()
    local: dict[str, Any] = {"local_permissions": EVERYTHING, "local_subjects": ["uid:1000"]}
    authenticate = built(token="sesame", revocations=revocations, **local)
    revocations.revoke_subject("uid:1000")
    assert (await refusal(authenticate, None, LOCAL)).message == "The login was revoked."


# ---- From the configuration


def test_an_empty_configuration_asks_nobody_to_log_in() -> None:
    assert configured_authenticator(Auth()) is None


async def test_the_configuration_reads_its_files_and_states_what_is_allowed(tmp_path: Path, sign: Sign) -> None:
    (tmp_path / "token").write_text("sesame\n")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    files: dict[str, Any] = {"token_file": str(tmp_path / "token"), "jwt_secret_file": str(tmp_path / "secret")}
    plain = configured_authenticator(Auth(**files))
    assert plain is not None
    assert (await plain("sesame", {}, SOMEONE)).permissions == EVERYTHING
    assert (await plain(sign(SECRET), {}, SOMEONE)).permissions == Permissions()
    readers = Permissions(subscribe=["#"])
    narrow = configured_authenticator(Auth(**files, default_permissions=readers))
    assert narrow is not None
    assert (await narrow("sesame", {}, SOMEONE)).permissions == readers
    assert (await narrow(sign(SECRET), {}, SOMEONE)).permissions == readers


async def test_the_configuration_states_audience_issuer_and_leeway(
    private_keys: dict[str, PrivateKey], public_keys: dict[str, str], sign: Sign
) -> None:
    key, name = private_keys["EdDSA"], "EdDSA"
    authenticate = configured_authenticator(
        Auth(jwt_public_key=public_keys[name], algorithms=[name], audience="swarm", issuer="id", leeway_seconds=60)
    )
    assert authenticate is not None
    late = int(time.time()) - 10
    assert (await authenticate(sign(key, name, aud="swarm", iss="id", exp=late), {}, SOMEONE)).subject == "alice"
    assert (await refusal(authenticate, sign(key, name, aud="hive", iss="id"))).field == "aud"
    assert (await refusal(authenticate, sign(key, name, aud="swarm", iss="other"))).field == "iss"


# ---- At the start


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token": ""}, "must not be empty"),
        ({"jwt_secret": "short"}, "at least 32 bytes, it has 5"),
        ({"jwt_secret": ""}, "at least 32 bytes, it has 0"),
        ({"jwt_public_key": "nonsense", "algorithms": ["RS256"]}, "PEM"),
        ({"jwks_url": "https://id.example.org/jwks"}, "to be stated"),
        ({"token": "sesame", "algorithms": ["none"]}, "got 'none'"),
    ],
)
def test_what_is_not_safe_is_refused_with_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_authenticator(**settings)
