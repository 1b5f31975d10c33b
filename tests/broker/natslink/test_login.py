"""Servers that ask who one is: password, token, nkey, credentials; what is wrong is said, and no secret with it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from swarmwire_broker.natslink import Link, LinkError, LinkFiles, LinkRefused, LinkState

from ...nats.servers import VERSIONS, NatsServer, Version
from .keys import NKey, creds
from .linking import becomes, linked

each_version = pytest.mark.parametrize("version", VERSIONS)


def at(server: NatsServer, login: str) -> str:
    return f"nats://{login}@127.0.0.1:{server.port}"


async def refused(*servers: str, files: LinkFiles | None = None) -> str:
    """Why a link with these could not start."""
    link = Link(servers, name="test", files=files)
    with pytest.raises(LinkRefused) as failed:
        await link.start()
    assert link.state is LinkState.NEW
    return str(failed.value)


@each_version
async def test_a_password_lets_in_and_a_wrong_one_does_not(version: Version) -> None:
    async with NatsServer(version, settings='authorization { user: me, password: "p@ss word" }') as server:
        async with linked(at(server, "me:p%40ss%20word")) as link:
            assert link.state is LinkState.CONNECTED
        for login in (at(server, "me:hidden"), at(server, "hidden:p%40ss%20word"), server.url):
            said = await refused(login)
            assert "Authorization Violation" in said
            assert "hidden" not in said


@each_version
async def test_a_token_lets_in_and_a_wrong_one_does_not(version: Version) -> None:
    async with NatsServer(version, settings="authorization { token: open }") as server:
        async with linked(at(server, "open")) as link:
            assert link.state is LinkState.CONNECTED
        said = await refused(at(server, "hidden"))
        assert "Authorization Violation" in said
        assert "hidden" not in said


@each_version
async def test_an_nkey_lets_in_by_its_seed(version: Version, tmp_path: Path) -> None:
    key, other, file = NKey("user"), NKey("user"), tmp_path / "seed"
    async with NatsServer(version, settings=f"authorization {{ users: [ {{ nkey: {key.public} }} ] }}") as server:
        file.write_text(f"{key.seed}\n")
        async with linked(server.url, files=LinkFiles(credentials=file)) as link:
            assert link.state is LinkState.CONNECTED
        file.write_text(other.seed)
        assert "Authorization Violation" in await refused(server.url, files=LinkFiles(credentials=file))


@each_version
async def test_a_credentials_file_lets_in_whom_an_account_knows(version: Version, tmp_path: Path) -> None:
    operator, account, user, other = NKey("operator"), NKey("account"), NKey("user"), NKey("user")
    limits = {"limits": {"conn": -1, "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1}}
    settings = (
        f"operator: {operator.token(operator, 'operator')}\nresolver: MEMORY\n"
        f"resolver_preload {{ {account.public}: {operator.token(account, 'account', nats=limits)} }}\n"
        "jetstream: false\n"
    )
    allowed = {"sub": {}, "pub": {}, "subs": -1, "data": -1, "payload": -1}
    token = account.token(user, "user", nats=allowed)
    file = tmp_path / "user.creds"
    async with NatsServer(version, settings=settings) as server:
        file.write_text(creds(token, user.seed))
        async with linked(server.url, files=LinkFiles(credentials=file)) as link:
            assert link.state is LinkState.CONNECTED
            await link.flush(5)
        for text in (
            creds(token, other.seed),
            creds(other.token(user, "user", nats=allowed), user.seed),
            creds(account.token(user, "user", nats=allowed, exp=2), user.seed),
        ):
            file.write_text(text)
            said = await refused(server.url, files=LinkFiles(credentials=file))
            assert "Authorization Violation" in said or "Authentication Expired" in said
            assert token not in said
        assert "Authorization Violation" in await refused(server.url)


@each_version
async def test_credentials_that_are_taken_away_are_tried_until_they_are_given_again(
    version: Version, caplog: pytest.LogCaptureFixture
) -> None:
    sesame = "authorization { user: me, password: sesame }"
    async with NatsServer(version, settings=sesame) as server, linked(at(server, "me:sesame")) as link:
        server.settings = "authorization { user: me, password: other }"
        with caplog.at_level(logging.DEBUG):
            async with becomes(link, LinkState.CONNECTED, LinkState.RECONNECTING):
                await server.restart()
            await _refusals(server, 2)
            server.settings = sesame
            async with becomes(link, LinkState.RECONNECTING, LinkState.CONNECTED):
                await server.restart()
    assert "Authorization Violation" in caplog.text
    assert "sesame" not in caplog.text


async def _refusals(server: NatsServer, count: int) -> None:
    """Wait until the server has refused so many."""
    while server.log.count("authentication error") < count:
        await server.ask("/varz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "must hold"),
        ("hidden", "must hold"),
        ("-----BEGIN NATS USER JWT-----\n?\n" + NKey("user").seed, "must hold"),
        ("SU" + "A" * 56, "damaged"),
        (NKey("user").public, "must hold"),
    ],
)
async def test_a_file_that_is_no_credentials_is_named_without_its_content(
    text: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "some.creds"
    if text is not None:
        file.write_text(text)
    key = NKey("user")
    async with NatsServer(settings=f"authorization {{ users: [ {{ nkey: {key.public} }} ] }}") as server:
        with pytest.raises(LinkError, match=said) as failed:
            await Link([server.url], name="test", files=LinkFiles(credentials=file)).start()
        assert "hidden" not in str(failed.value)


async def test_the_first_server_that_lets_in_is_enough() -> None:
    async with (
        NatsServer(settings="authorization { token: open }") as locked,
        NatsServer() as server,
        linked(at(locked, "wrong"), server.url) as link,
    ):
        assert link.state is LinkState.CONNECTED
        assert len(await server.connections()) == 1
