"""`swarmwire token`: make a token to log in with."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.durations import parse_duration
from .console import emit, failures, usage

if TYPE_CHECKING:
    from ..config import Config

__all__ = ["claims_of", "token"]

_BYTES = 32
_PEM = "-----BEGIN"
_ALGORITHMS = ("RS256", "ES256", "EdDSA")


def token(
    subject: Annotated[str | None, typer.Option(help="Who the token is for.")] = None,
    publish: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Topics to publish on.")] = None,
    subscribe: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Topics to subscribe to.")] = None,
    call: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Methods to call.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Operators' methods and $sys topics.")] = False,
    observe: Annotated[
        bool, typer.Option("--observe", help="Those of them that only look: for dashboards, with --subscribe '#'.")
    ] = False,
    no_permissions: Annotated[
        bool, typer.Option("--no-permissions", help="Leave them to the broker's default_permissions.")
    ] = False,
    expires: Annotated[str, typer.Option(help="Such as 90s, 1h30m, 7d, or never.")] = "1h",
    audience: Annotated[str | None, typer.Option(help="By default the configured one.")] = None,
    issuer: Annotated[str | None, typer.Option(help="By default the configured one.")] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the secret, or with a private key in PEM.")
    ] = None,
    secret_env: Annotated[str | None, typer.Option(metavar="NAME", help="Environment variable that holds it.")] = None,
    algorithm: Annotated[
        str | None, typer.Option(help="HS256, RS256, ES256 or EdDSA; by default what the key is for.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of the broker, whose secret signs.")] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Print a random shared token for the broker instead.")
    ] = False,
) -> None:
    """Print a token to log in with.

    It is a JSON web token, signed with a file, a variable, or the secret of the broker's configuration. Example:

    swarmwire token --subject agent-7 --publish 'agent.7.#' --subscribe '#' --secret-file jwt.secret
    """
    with failures():
        if generate:
            emit(secrets.token_hex(_BYTES))
            return
        from ..config import load_config

        grant: dict[str, Any] = {"publish": publish or [], "subscribe": subscribe or [], "call": call or []}
        grant |= {"admin": admin, "observe": observe}
        claims = claims_of(subject, grant, no_permissions, expires, time.time())
        loaded = None if secret_file or secret_env else load_config(file=config)
        named = {"aud": audience, "iss": issuer}
        if loaded is not None:
            named = {"aud": audience or loaded.auth.audience, "iss": issuer or loaded.auth.issuer}
        claims |= {name: value for name, value in named.items() if value is not None}
        emit(_sign(claims, _key(secret_file, secret_env, loaded), algorithm))


def claims_of(
    subject: str | None, grant: dict[str, Any], no_permissions: bool, expires: str, now: float
) -> dict[str, Any]:
    """What the token states. Ends the command where that makes no sense; `now` is in seconds since 1970."""
    claims: dict[str, Any] = {"sub": _subject(subject), "iat": int(now), "jti": secrets.token_hex(8)}
    if expires != "never":
        claims["exp"] = int(now + _seconds(expires))
    if any(grant.values()) == no_permissions:
        usage(
            "--no-permissions contradicts --publish, --subscribe, --call, --admin and --observe"
            if no_permissions
            else "the token would allow nothing: give --publish, --subscribe, --call, --admin or --observe,"
            " or --no-permissions"
        )
    for kind in ("publish", "subscribe", "call"):
        for pattern in grant[kind]:
            _check(pattern, kind)
    return claims if no_permissions else claims | {"permissions": grant}


def _subject(subject: str | None) -> str:
    from swarmwire_protocol.errors import SwarmwireError

    from ..auth.login import check_subject

    if subject is None:
        usage("--subject is missing: who is the token for?")
    try:
        return check_subject(subject)
    except SwarmwireError as error:
        usage(f"--subject: {error.message}")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        usage(f"--expires: {error}")


def _check(pattern: str, kind: str) -> None:
    from swarmwire_protocol.errors import SwarmwireError
    from swarmwire_protocol.topics import check_pattern

    try:
        check_pattern(pattern)
    except SwarmwireError as error:
        usage(f"--{kind} {pattern}: {error.message}")


def _key(file: Path | None, variable: str | None, config: Config | None) -> str:
    """The secret, or the private key in PEM, from the one place that was named."""
    if file and variable:
        usage("--secret-file and --secret-env contradict each other")
    if file is not None:
        text = _read(file).strip()
    elif variable is not None:
        text = os.environ.get(variable, "")
    else:
        text = (config.auth.read_jwt_secret() if config else None) or ""
    if not text:
        place = f"{file} is empty" if file else f"{variable} is not set" if variable else "no secret is configured"
        usage(f"{place}: name one by --secret-file or --secret-env, or configure auth.jwt_secret_file")
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        usage(f"--secret-file: cannot read {file}: {reason}")


def _sign(claims: dict[str, Any], key: str, algorithm: str | None) -> str:
    import jwt

    from ..auth.keys import secret_key

    algorithms = _ALGORITHMS if key.startswith(_PEM) else ("HS256",)
    if algorithm is not None and algorithm not in algorithms:
        usage(f"--algorithm {algorithm}: expected {' or '.join(algorithms)} for this kind of key")
    try:
        if algorithms == ("HS256",):
            secret_key(key)
        return jwt.encode(claims, key, algorithm or _usual(key))
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        usage(f"the key cannot sign: {error}")


def _usual(key: str) -> str:
    """The algorithm that a key is for."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not key.startswith(_PEM):
        return "HS256"
    match load_pem_private_key(key.encode(), None):
        case RSAPrivateKey():
            return "RS256"
        case EllipticCurvePrivateKey():
            return "ES256"
        case _:
            return "EdDSA"
