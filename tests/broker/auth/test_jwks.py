"""Keys behind a URL, served by a real HTTP server: found, kept, rotated, and what happens when it is away."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from swarmwire_broker.auth.jwks import JwksKeys
from swarmwire_broker.auth.jwt import JwtSource
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .conftest import PrivateKey, Sign

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
SECRET = "an honest secret of enough length"


class Identity(ThreadingHTTPServer):
    """A server of keys that counts its requests, can be held up and can fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: list[dict[str, Any]] = []
        self.body: bytes | None = None
        self.status = 200
        self.requests = 0
        self.open = threading.Event()
        self.open.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that did not wait for its answer is none of this server's errors."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/jwks.json"


class _Handler(BaseHTTPRequestHandler):
    server: Identity

    def do_GET(self) -> None:
        self.server.requests += 1
        self.server.open.wait(10)
        body = self.server.body or json.dumps({"keys": self.server.keys}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def identity() -> Iterator[Identity]:
    with Identity() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def listed(kid: str, key: PrivateKey) -> dict[str, Any]:
    match key:
        case RSAPrivateKey():
            found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case EllipticCurvePrivateKey():
            found = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            found = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, "use": "sig"}


async def who(keys: JwksKeys, token: str) -> str | None:
    login = await JwtSource(keys).verify(token)
    return None if login is None else login.verified.subject


async def unavailable(keys: JwksKeys, token: str) -> bool:
    try:
        await who(keys, token)
    except SwarmwireError as error:
        return error.code is ErrorCode.UNAVAILABLE and error.retry_after_ms is not None
    return False


# ---- Found and kept


async def test_the_key_that_a_token_names_verifies_it(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed(name, key) for name, key in private_keys.items()]
    keys = JwksKeys(identity.url, ALGORITHMS)
    for name, key in private_keys.items():
        assert await who(keys, sign(key, name, kid=name)) == "alice"
    assert identity.requests == 1


async def test_a_token_that_names_a_key_which_did_not_sign_it_is_none_of_ours(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("rsa", private_keys["RS256"]), listed("ec", private_keys["ES256"])]
    keys = JwksKeys(identity.url, ALGORITHMS)
    assert await who(keys, sign(private_keys["RS256"], "RS256", kid="ec")) is None
    assert await who(keys, sign(private_keys["RS256"], "RS256")) is None


async def test_only_stated_algorithms_are_taken_and_others_cause_no_request(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("rsa", private_keys["RS256"])]
    keys = JwksKeys(identity.url, ["ES256"])
    assert await who(keys, sign(private_keys["RS256"], "RS256", kid="rsa")) is None
    assert identity.requests == 0


async def test_a_shared_secret_in_the_list_verifies_nothing(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    oct_key = {"kty": "oct", "kid": "shared", "alg": "HS256", "k": "YW4gaG9uZXN0IHNlY3JldCBvZiBlbm91Z2ggbGVuZ3Ro"}
    identity.keys = [oct_key, listed("rsa", private_keys["RS256"])]
    keys = JwksKeys(identity.url, ["HS256", "RS256"])
    assert await who(keys, sign(private_keys["RS256"], "RS256", kid="rsa")) == "alice"
    assert await who(keys, sign(SECRET, kid="shared")) is None
    assert await keys.find({"alg": "RS256", "kid": "shared"}) is None


async def test_keys_are_fetched_again_when_they_are_old(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("k", private_keys["ES256"])]
    clock = Clock()
    keys = JwksKeys(identity.url, ALGORITHMS, lifespan=300, clock=clock)
    token = sign(private_keys["ES256"], "ES256", kid="k")
    assert await who(keys, token) == "alice"
    identity.keys = [listed("other", private_keys["ES256"])]
    clock.now += 300
    assert await who(keys, token) == "alice"
    clock.now += 1
    assert await who(keys, token) is None


async def test_many_logins_at_once_cause_one_request(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("k", private_keys["ES256"])]
    keys = JwksKeys(identity.url, ALGORITHMS)
    token = sign(private_keys["ES256"], "ES256", kid="k")
    assert await asyncio.gather(*(who(keys, token) for _ in range(20))) == ["alice"] * 20
    assert identity.requests == 1


# ---- Rotated


async def test_an_unknown_key_is_looked_for_but_not_more_often_than_the_cooldown(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("old", private_keys["ES256"])]
    clock = Clock()
    keys = JwksKeys(identity.url, ALGORITHMS, cooldown=10, clock=clock)
    assert await who(keys, sign(private_keys["ES256"], "ES256", kid="old")) == "alice"
    identity.keys.append(listed("new", private_keys["EdDSA"]))
    token = sign(private_keys["EdDSA"], "EdDSA", kid="new")
    for _ in range(5):
        assert await who(keys, token) is None
    assert identity.requests == 1
    clock.now += 10
    assert await who(keys, token) == "alice"
    assert identity.requests == 2


# ---- Away


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"sorry"), (404, b"{}"), (302, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'{"keys": [1]}'),
     (200, b"\xff"), (200, b"[" * 100_000)],
)  # fmt: skip
async def test_a_server_that_answers_nonsense_makes_logins_unavailable(
    status: int, body: bytes, identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.status, identity.body = status, body
    keys = JwksKeys(identity.url, ALGORITHMS)
    token = sign(private_keys["ES256"], "ES256", kid="k")
    assert await unavailable(keys, token)
    assert await unavailable(keys, token)
    assert identity.requests == 1


async def test_a_server_that_is_away_is_logged_and_makes_logins_unavailable(
    private_keys: dict[str, PrivateKey], sign: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    with Identity() as gone:
        url = gone.url
    assert await unavailable(JwksKeys(url, ALGORITHMS), sign(private_keys["ES256"], "ES256", kid="k"))
    assert "the JWKS URL cannot be read" in caplog.text


async def test_known_keys_stay_good_for_a_while_when_the_server_goes_away(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("k", private_keys["ES256"])]
    clock = Clock()
    keys = JwksKeys(identity.url, ALGORITHMS, lifespan=300, max_stale=3600, clock=clock)
    token = sign(private_keys["ES256"], "ES256", kid="k")
    assert await who(keys, token) == "alice"
    identity.status = 503
    clock.now += 3600
    assert await who(keys, token) == "alice"
    assert await unavailable(keys, sign(private_keys["ES256"], "ES256", kid="perhaps new"))
    clock.now += 1
    assert await unavailable(keys, token)
    identity.status = 200
    clock.now += 10
    assert await who(keys, token) == "alice"


async def test_a_server_that_does_not_answer_holds_a_login_no_longer_than_the_timeout(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.open.clear()
    keys = JwksKeys(identity.url, ALGORITHMS, timeout=0.05)
    assert await unavailable(keys, sign(private_keys["ES256"], "ES256", kid="k"))


async def test_a_login_that_is_given_up_leaves_the_request_to_the_others(
    identity: Identity, private_keys: dict[str, PrivateKey], sign: Sign
) -> None:
    identity.keys = [listed("k", private_keys["ES256"])]
    identity.open.clear()
    keys = JwksKeys(identity.url, ALGORITHMS)
    token = sign(private_keys["ES256"], "ES256", kid="k")
    first, second = asyncio.create_task(who(keys, token)), asyncio.create_task(who(keys, token))
    await asyncio.wait([first, second], timeout=0)
    first.cancel()
    await asyncio.wait([first])
    identity.open.set()
    assert await second == "alice"
    assert identity.requests == 1


# ---- At the start


@pytest.mark.parametrize("url", ["file:///etc/passwd", "id.example.org/jwks", "", "ftp://id.example.org"])
def test_a_url_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="jwks_url"):
        JwksKeys(url, ALGORITHMS)


@pytest.mark.parametrize("algorithms", [[], ["HS256"]])
def test_algorithms_for_public_keys_must_be_stated(algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="the JWKS URL needs RS256 or ES256 or EdDSA to be stated"):
        JwksKeys("https://id.example.org/jwks", algorithms)
