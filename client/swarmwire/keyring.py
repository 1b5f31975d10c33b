"""The keys that payloads are sealed with: one for sealing, older ones for reading."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol, Self, cast

from .errors import ErrorCode, SwarmwireError
from .platformfiles import is_private, open_new_private

__all__ = ["KEYS_VARIABLE", "KEY_BYTES", "Cipher", "Key", "Keyring"]

KEY_BYTES: Final = 32
"""The length of a key: AES-256."""

KEYS_VARIABLE: Final = "SWARMWIRE_KEYS"
"""The environment variable that `Keyring.from_environment` reads."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LIMIT: Final = 65_536


class Cipher(Protocol):
    """AES-256-GCM with one key; what `cryptography` gives."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class Key:
    """One key. `id` is what an envelope names it by: its name and a fingerprint, so that no other key is taken for it.

    Attributes:
        name: 1 to 64 letters, digits, dots, underscores and dashes.
        id: the name, a colon, and the first 8 hexadecimal digits of SHA-256("swarmwire key id" NUL key).
        cipher: what seals and opens with it.
        sealed: how many payloads were sealed with it, by this object.
    """

    __slots__ = ("_secret", "cipher", "id", "name", "sealed")

    def __init__(self, name: str, secret: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise _invalid(f"Expected the name of a key of 1 to 64 letters, digits, '.', '_' and '-', got {name!r}.")
        if len(secret) != KEY_BYTES:
            raise _invalid(f"Expected a key of {KEY_BYTES} bytes under the name {name!r}, got {len(secret)}.")
        self._secret = secret
        self.name = name
        self.id = f"{name}:{hashlib.sha256(b'swarmwire key id' + bytes(1) + secret).hexdigest()[:8]}"
        self.cipher = _cipher(secret)
        self.sealed = 0

    def __repr__(self) -> str:
        return f"Key({self.id!r})"

    def line(self) -> str:
        """The key as a file holds it: secret."""
        return f"{self.name} {base64.b64encode(self._secret).decode()}"


class Keyring:
    """Keys by their names, of which the first seals; all of them open. Nothing of it is ever shown but key ids.

    To rotate, give the new key to every reader first (behind the current one), then make it the first everywhere;
    take an old one out once nobody reads what it sealed. `Encryption.use` changes the ring of a running client.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.id: key for key in keys}
        if not self._keys:
            raise _invalid("Expected at least one key, got none.")
        names = [key.name for key in self._keys.values()]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise _invalid(f"Expected each name once, got two keys of the name {twice!r}.")
        self.current = next(iter(self._keys.values()))
        """The key that seals."""

    def __repr__(self) -> str:
        return f"Keyring(current={self.current.id!r}, keys={list(self._keys)!r})"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, that of the current one first."""
        return tuple(self._keys)

    def find(self, id: str) -> Key | None:
        """The key of this id; None if it is not here."""
        return self._keys.get(id)

    # ---- Where keys come from

    @classmethod
    def of(cls, secret: bytes, name: str = "key", *, older: Iterable[tuple[str, bytes]] = ()) -> Self:
        """A ring of keys at hand, 32 bytes each; `older` are (name, key) pairs that only open."""
        return cls([Key(name, secret), *(Key(*each) for each in older)])

    @classmethod
    def generate(cls, name: str = "key") -> Self:
        """A ring with one new key."""
        return cls([Key(name, secrets.token_bytes(KEY_BYTES))])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Keys as `NAME BASE64` lines, the current one first; commas separate too, `#` begins a comment line.

        Raises:
            SwarmwireError: INVALID_MESSAGE, which names the line and never what stands in it.
        """
        lines = [line for row in text.splitlines() if not row.lstrip().startswith("#") for line in row.split(",")]
        return cls([_parsed(number, line) for number, line in enumerate(lines, 1) if line.strip()])

    @classmethod
    def from_environment(cls, variable: str = KEYS_VARIABLE) -> Self:
        """Keys of an environment variable, as in `from_text`.

        Raises:
            SwarmwireError: INVALID_MESSAGE where it is not set, or holds something else.
        """
        text = os.environ.get(variable)
        if text is None:
            raise _invalid(f"Expected keys in the environment variable {variable}, but it is not set.")
        return cls.from_text(text)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Keys of a file, as in `from_text`. It must be its owner's alone (mode 0600 or less), and that is us.

        Raises:
            SwarmwireError: INVALID_MESSAGE for a file that others can read or that holds something else.
            OSError: when it cannot be read.
        """
        with open(path, "rb") as file:
            if not is_private(file.fileno()):
                raise _invalid(f"Expected {os.fspath(path)} to be a file of ours that nobody else can read: chmod 600.")
            raw = file.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise _invalid(f"Expected a file of keys of at most {_LIMIT} bytes, got a longer one.")
        try:
            return cls.from_text(raw.decode())
        except UnicodeDecodeError:
            raise _invalid(f"Expected {os.fspath(path)} to hold lines of NAME BASE64.") from None

    # ---- Rotation

    def rotated(self, name: str) -> Keyring:
        """A ring with a new key that seals, and all of these for reading."""
        return Keyring([Key(name, secrets.token_bytes(KEY_BYTES)), *self._keys.values()])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the keys into a new file that nobody else can read. Raises FileExistsError if there is one."""
        with open_new_private(Path(path)) as file:
            file.write("".join(f"{key.line()}\n" for key in self._keys.values()).encode())


def _parsed(number: int, line: str) -> Key:
    parts = line.split()
    if len(parts) != 2:
        raise _invalid(f"Expected NAME BASE64 as key {number}, got {len(parts)} words.")
    try:
        secret = base64.b64decode(parts[1].replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        raise _invalid(f"Expected base64 as key {number}.") from None
    return Key(parts[0], secret)


def _cipher(secret: bytes) -> Cipher:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE,
            "Payload encryption needs the package cryptography: install it with `pip install 'swarmwire[crypto]'`.",
        ) from error
    return cast(Cipher, AESGCM(secret))


def _invalid(message: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, message, field="encryption")
