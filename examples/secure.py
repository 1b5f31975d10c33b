"""Logins, permissions, and payloads that the broker cannot read.

    python examples/secure.py setup vault       # makes vault/: the broker's secret, three tokens, one key
    python examples/secure.py serve vault       # a broker that lets in nobody without a token of its own
    python examples/secure.py read vault        # the clerk, who has the key, reads what is paid
    python examples/secure.py pay vault 1200    # the payroll publishes, sealed with the key
    python examples/secure.py snoop vault       # the auditor may subscribe and has no key: sealed bytes is all there is
    python examples/secure.py forge vault 9999  # the clerk may read, not pay: PERMISSION_DENIED

Each token says what its holder may do, and for how long (`--expires`); the broker checks it by a secret that never
leaves its machine. It needs `pip install 'swarmwire[broker,crypto]'`.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import jwt

from swarmwire import Client, Connecting, Encryption, Keyring, SwarmwireError, connect
from swarmwire_broker.config import Config
from swarmwire_broker.credentials import Auth
from swarmwire_broker.server import Server

__all__: list[str] = []

TOPIC = "payroll.paid"
WHO: dict[str, dict[str, list[str]]] = {
    "payroll": {"publish": ["payroll.#"]},
    "clerk": {"subscribe": ["payroll.#"]},
    "auditor": {"subscribe": ["payroll.#"]},
}
"""Who may do what."""


def setup(vault: Path, expires: float) -> None:
    """Make the directory and all that is secret in it."""
    vault.mkdir(mode=0o700)
    secret = secrets.token_hex(32)
    write(vault / "jwt.secret", secret)
    for subject, permissions in WHO.items():
        claims: dict[str, Any] = {"sub": subject, "exp": int(time.time() + expires), "permissions": permissions}
        write(vault / f"{subject}.token", jwt.encode(claims, secret, "HS256"))
    Keyring.generate("payroll").save(vault / "payroll.keys")


def write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


async def serve(vault: Path, port: int) -> None:
    auth = Auth(jwt_secret_file=str(vault / "jwt.secret"))
    async with Server(Config(port=port, unix="off", auth=auth)) as server:
        (vault / "url").write_text(server.url)
        say(f"serving on {server.url}")
        await asyncio.Event().wait()


def enter(vault: Path, subject: str, *, sealed: bool) -> Connecting:
    """Connect as somebody, with the key or without it."""
    keys = Encryption(Keyring.from_file(vault / "payroll.keys")) if sealed else None
    token = (vault / f"{subject}.token").read_text()
    return connect((vault / "url").read_text(), token=token, encryption=keys)


async def show(client: Client, count: int | None) -> None:
    async for event in client.subscribe(TOPIC, from_="start"):
        say(f"{event.sender}: {event.data}")
        if (count := None if count is None else count - 1) == 0:
            break


async def run(options: argparse.Namespace) -> None:
    vault: Path = options.vault
    match options.command:
        case "setup":
            setup(vault, options.expires)
        case "serve":
            await serve(vault, options.port)
        case "pay":
            async with enter(vault, "payroll", sealed=True) as client:
                await client.publish(TOPIC, {"amount": options.amount})
        case "forge":
            async with enter(vault, "clerk", sealed=True) as client:
                await client.publish(TOPIC, {"amount": options.amount})
        case "read":
            async with enter(vault, "clerk", sealed=True) as client:
                await show(client, options.count)
        case "snoop":
            async with enter(vault, "auditor", sealed=False) as client:
                await show(client, options.count)


def say(line: str) -> None:
    print(line, flush=True)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["setup", "serve", "pay", "forge", "read", "snoop"])
    parser.add_argument("vault", type=Path, help="directory of the secrets")
    parser.add_argument("amount", type=int, nargs="?", default=100)
    parser.add_argument("--count", type=int, help="read so many and end")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--expires", type=float, default=3600, help="seconds that the tokens of `setup` are good for")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(read_arguments()))
    except SwarmwireError as refusal:
        sys.exit(f"{refusal.code}: {refusal.message}")
    except KeyboardInterrupt:
        print()
