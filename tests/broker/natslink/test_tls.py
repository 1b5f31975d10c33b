"""Encrypted links: where a server demands it, where we do, and whom one trusts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from swarmwire_broker.natslink import Link, LinkError, LinkFiles, LinkState

from ...nats.servers import VERSIONS, NatsServer, Version
from .fakeserver import FakeServer
from .keys import Authority, Certified
from .linking import Inbox, becomes, linked

each_version = pytest.mark.parametrize("version", VERSIONS)


def tls(certified: Certified, more: str = "") -> str:
    return f'tls {{ cert_file: "{certified.cert}", key_file: "{certified.key}", timeout: 5, {more} }}'


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@each_version
@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_a_server_that_demands_tls_is_spoken_to_in_secret(
    scheme: str, version: Version, authority: Authority
) -> None:
    inbox = Inbox()
    async with NatsServer(version, settings=tls(authority.certify("127.0.0.1"))) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        async with linked(url, files=LinkFiles(ca=authority.ca), connect_timeout=10) as link:
            link.subscribe(b"a", inbox.receive)
            for number in range(100):
                link.publish(b"a", b"%d" % number * 10_000)
            await inbox.has(100)
            assert inbox.payloads == [b"%d" % number * 10_000 for number in range(100)]
            (connection,) = await server.connections()
            assert connection["tls_version"]
            async with becomes(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED):
                await server.restart()


@each_version
@pytest.mark.parametrize("case", ["another authority", "another name", "no file"])
async def test_a_server_that_is_not_trusted_is_not_logged_in_to(
    case: str, version: Version, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    files = {"another authority": LinkFiles(ca=other.ca), "another name": LinkFiles(ca=authority.ca)}.get(case)
    name = "elsewhere.example" if case == "another name" else "127.0.0.1"
    async with NatsServer(version, settings=tls(authority.certify(name))) as server:
        link = Link([f"tls://token@127.0.0.1:{server.port}"], name="test", files=files, connect_timeout=10)
        with pytest.raises(LinkError, match=r"TLS failed: .*(certificate|mismatch)"):
            await link.start()


@each_version
async def test_a_server_that_wants_a_certificate_of_us_gets_it(version: Version, authority: Authority) -> None:
    ours = authority.certify("broker")
    settings = tls(authority.certify("127.0.0.1"), f'ca_file: "{authority.ca}", verify: true')
    async with NatsServer(version, settings=settings) as server:
        files = LinkFiles(ca=authority.ca, cert=ours.cert, key=ours.key)
        async with linked(server.url, files=files, connect_timeout=10) as link:
            assert link.state is LinkState.CONNECTED
        with pytest.raises(LinkError):
            await Link([server.url], name="test", files=LinkFiles(ca=authority.ca), connect_timeout=10).start()


@each_version
async def test_tls_that_is_demanded_and_not_offered_is_no_reason_to_go_without(version: Version) -> None:
    async with NatsServer(version) as server:
        with pytest.raises(LinkError, match="offers no TLS"):
            await Link([f"tls://token@127.0.0.1:{server.port}"], name="test").start()


async def test_nothing_counts_that_somebody_said_before_tls(authority: Authority) -> None:
    inbox = Inbox()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes everything on, and says something of its own before TLS begins."""
        theirs, ours = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(await theirs.readline() + b"PONG\r\nMSG a 2 6\r\nforged\r\n")
        await asyncio.gather(_pass_on(theirs, writer), _pass_on(reader, ours))
        passed.set()

    passed = asyncio.Event()
    async with NatsServer(settings=tls(authority.certify("127.0.0.1"))) as server:
        proxy = await asyncio.start_server(between, "127.0.0.1", 0)
        link = Link(
            [f"tls://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"], name="test", files=LinkFiles(ca=authority.ca)
        )
        assert link.subscribe(b"a", inbox.receive).number == b"2"
        await link.start()
        link.publish(b"a", b"true")
        await inbox.has(1)
        assert inbox.payloads == [b"true"]
        await link.close()
        await passed.wait()
        proxy.close()
        await proxy.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def test_a_file_of_certificates_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    async with FakeServer(tls_required=True) as server:
        for path, said in ((tmp_path / "ca.pem", "it is none"), (tmp_path / "no.pem", "No such file")):
            with pytest.raises(LinkError, match=f"certificate file for NATS cannot be used: {said}"):
                await Link([server.url], name="test", files=LinkFiles(ca=path)).start()
