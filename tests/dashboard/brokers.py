"""Brokers of these tests: processes that can be killed and started again where they were."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import jwt

from swarmwire import Client, connect

from ..system.processes import BrokerProcess, Shell

__all__ = ["Broker", "token"]

SECRET = secrets.token_hex(32)


class Broker:
    """A broker with its dashboard at `origin`. It listens at the same port each time it is started."""

    def __init__(self, shell: Shell, *flags: str) -> None:
        self._shell = shell
        self._flags = ("--unix", "off", *flags)
        self._process: BrokerProcess | None = None
        self._port = 0

    @property
    def process(self) -> BrokerProcess:
        assert self._process is not None, "the broker was not started"
        return self._process

    @property
    def origin(self) -> str:
        return self.process.http

    @property
    def url(self) -> str:
        return self.process.url

    async def start(self) -> None:
        self._process = await self._shell.serve(*self._flags, port=self._port)
        self._port = self._process.port

    async def kill(self) -> None:
        """What kill -9 does."""
        await self.process.kill()

    async def client(self, token: str | None = None) -> Client:
        """A client of it, to be closed by the caller."""
        return await connect(self.url, token=token, name="the test")


def token(permissions: Mapping[str, object], subject: str = "operator", expires_at: float | None = None) -> str:
    """A token that a broker with the secret of these tests takes; `expires_at` is in seconds since 1970."""
    claims: dict[str, object] = {"sub": subject, "permissions": dict(permissions)}
    if expires_at is not None:
        claims["exp"] = expires_at
    return jwt.encode(claims, SECRET, algorithm="HS256")
