"""Logging in from the command line, and pages of other origins, which may not."""

from __future__ import annotations

import asyncio
import json

from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from .processes import Finished, Shell

SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"


def refusal(finished: Finished) -> str:
    """The one sentence of a command that the broker refused."""
    assert finished.out == []
    assert len(finished.err) == 1, finished.err
    assert finished.code == 1
    return finished.err[0]


async def test_a_shared_token_lets_in_who_has_it_and_nobody_else(shell: Shell) -> None:
    token = (await shell.run("token", "--generate")).out[0]
    shell.file("token.txt", token + "\n")
    broker = await shell.serve("--token-file", "token.txt")
    pub = ("pub", "a", "1", "--url", broker.url)
    by_flag, by_variable, wrong, without, status, status_with = await asyncio.gather(
        shell.run(*pub, "--token", token),
        shell.run(*pub, SWARMWIRE_TOKEN=token),
        shell.run(*pub, "--token", "guessed-token"),
        shell.run(*pub),
        shell.run("status", "--url", broker.url, "--token", "guessed-token"),
        shell.run("status", "--url", broker.url, "--token", token),
    )
    assert sorted(by_flag.out + by_variable.out) == ["1", "2"]
    assert status_with.code == 0
    for sentence in map(refusal, (wrong, without, status)):
        assert sentence.startswith("swarmwire: AUTHENTICATION_FAILED: ")
        assert token not in sentence
        assert "guessed" not in sentence
    logs = "\n".join(broker.err.items)
    assert token not in logs
    assert "guessed-token" not in logs


async def test_a_signed_token_allows_what_it_states_and_nothing_beside(shell: Shell) -> None:
    shell.file("jwt.secret", SECRET)
    broker = await shell.serve("--jwt-secret-file", "jwt.secret")
    grants = ("--publish", "agent.7.#", "--subscribe", "agent.#")
    token = (await shell.run("token", "--subject", "agent-7", *grants, "--secret-file", "jwt.secret")).out[0]
    login = {"SWARMWIRE_URL": broker.url, "SWARMWIRE_TOKEN": token}
    published, elsewhere, everything, system, read = await asyncio.gather(
        shell.run("pub", "agent.7.status", "idle", **login),
        shell.run("pub", "agent.8.status", "idle", **login),
        shell.run("sub", "#", "--from", "start", **login),
        shell.run("sub", "$sys.#", **login),
        shell.run("sub", "agent.*.status", "--from", "start", "-n", "1", "--json", **login),
    )
    assert published.out == ["1"]
    for finished in (elsewhere, everything, system):
        assert refusal(finished).startswith("swarmwire: PERMISSION_DENIED: ")
    event = json.loads(read.out[0])
    assert (event["from"], event["data"]) == ("agent-7", "idle")


async def test_an_expired_a_foreign_and_a_broken_token_are_refused_in_a_sentence(shell: Shell) -> None:
    shell.file("jwt.secret", SECRET)
    shell.file("other.secret", SECRET[::-1])
    broker = await shell.serve("--jwt-secret-file", "jwt.secret")
    make = ("token", "--subject", "a", "--admin")
    expired, foreign = await asyncio.gather(
        shell.run(*make, "--secret-file", "jwt.secret", "--expires", "0s"),
        shell.run(*make, "--secret-file", "other.secret"),
    )
    tokens = (expired.out[0], foreign.out[0], "no.token.atall")
    refused = await asyncio.gather(*(shell.run("pub", "a", "1", "--url", broker.url, "--token", it) for it in tokens))
    codes = [refusal(finished).split(": ")[1] for finished in refused]
    assert codes == ["TOKEN_EXPIRED", "AUTHENTICATION_FAILED", "AUTHENTICATION_FAILED"]


async def test_a_subscription_ends_with_its_token(shell: Shell) -> None:
    shell.file("jwt.secret", SECRET)
    broker = await shell.serve("--jwt-secret-file", "jwt.secret")
    make = ("token", "--subject", "a", "--subscribe", "#", "--secret-file", "jwt.secret", "--expires", "2s")
    token = (await shell.run(*make)).out[0]
    finished = await shell.run("sub", "#", "--url", broker.url, "--token", token)
    assert refusal(finished).startswith("swarmwire: TOKEN_EXPIRED: ")


# ---- Pages of other origins


async def status_of(url: str, origin: str | None, host: str | None = None) -> int:
    """The HTTP status that a page of this origin gets; 101 lets it in."""
    headers = {} if host is None else {"Host": host}
    try:
        async with connect_socket(url, origin=None if origin is None else Origin(origin), additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_a_page_of_another_origin_gets_403(shell: Shell) -> None:
    broker = await shell.serve()
    for origin in ("https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "null"):
        assert await status_of(broker.url, origin) == 403, origin
    for allowed in (None, broker.http, "http://localhost:3000"):
        assert await status_of(broker.url, allowed) == 101, allowed


async def test_a_foreign_name_that_was_made_to_point_here_is_refused(shell: Shell) -> None:
    broker = await shell.serve()
    assert await status_of(broker.url, f"http://evil.example:{broker.port}", f"evil.example:{broker.port}") in (
        400,
        403,
    )


async def test_a_list_of_origins_takes_the_place_of_all_but_the_own(shell: Shell) -> None:
    broker = await shell.serve("--set", "allowed_origins=https://app.example.org")
    for allowed in ("https://app.example.org", broker.http, None):
        assert await status_of(broker.url, allowed) == 101, allowed
    for origin in ("https://evil.example", "http://localhost:3000", "https://app.example.org:8443"):
        assert await status_of(broker.url, origin) == 403, origin
