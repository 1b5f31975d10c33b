"""A file that holds how far a subscription was consumed, so that the next run of the program goes on from there.

It is written in place, one small write for each event: a header that says what it belongs to, then two slots that are
written in turns, each with a checksum and in a disk sector of its own. Whatever is interrupted, one slot is whole.
"""

from __future__ import annotations

import os
import secrets
import zlib
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import SwarmwireError

from .errors import ErrorCode, ResumeFileError
from .platformfiles import lock, publish_new, read_at, write_at

__all__ = ["Place", "ResumeFile"]

_MAGIC: Final = b"swarmwire-resume-1"
_SECTOR: Final = 512
_HEADER: Final = 4 * _SECTOR
_SIZE: Final = _HEADER + 2 * _SECTOR
_NOTHING: Final = "-"
_FLAGS: Final = os.O_RDWR | getattr(os, "O_BINARY", 0)


class Place(NamedTuple):
    """A place in the log, with whether it lies in a snapshot that is not complete. Without a cursor: no place yet."""

    cursor: str | None = None
    snapshot: bool = False


class _Owner(msgspec.Struct, frozen=True):
    pattern: str
    mode: str


class ResumeFile:
    """An open and locked resume file of one subscription. `open` makes one."""

    def __init__(self, path: str, descriptor: int, *, locked: bool) -> None:
        self._path = path
        self._descriptor = descriptor
        self._count = 0
        self.locked = locked
        """Whether other processes are kept away: not where the file system has no locks."""
        self.place = Place()
        """What was saved last."""

    @classmethod
    def open(cls, path: str, pattern: str, mode: str) -> ResumeFile:
        """Open the file, or make it where there is none.

        Raises:
            ResumeFileError: CONFLICT while another subscription has it open, or if it belongs to another pattern or
                mode; INVALID_MESSAGE if it is damaged; UNAVAILABLE if it cannot be opened.
        """
        owner = _Owner(pattern, mode)
        try:
            file = cls._opened(path, owner)
        except OSError as error:
            raise _failed(path, "opened", error) from error
        try:
            file._load(owner)
        except OSError as error:
            file.close()
            raise _failed(path, "read", error) from error
        except BaseException:
            file.close()
            raise
        return file

    def save(self, place: Place) -> None:
        """Write a place, unless it is the one written last. A killed process loses none of it.

        Raises:
            ResumeFileError: UNAVAILABLE if it cannot be written.
        """
        if place == self.place or self._descriptor < 0:
            return
        count = self._count + 1
        record = _slot(count, place)
        try:
            written = write_at(self._descriptor, record, _HEADER + count % 2 * _SECTOR)
        except OSError as error:
            raise _failed(self._path, "written", error) from error
        if written != len(record):
            raise _failed(self._path, "written", OSError("the disk took only a part"))
        self._count, self.place = count, place

    def close(self) -> None:
        """Bring what was written to the disk, and let others have the file. Harmless twice; raises nothing."""
        if self._descriptor < 0:
            return
        with suppress(OSError):  # after every save the file is whole already, but for a loss of power
            os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1

    @classmethod
    def _opened(cls, path: str, owner: _Owner) -> ResumeFile:
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            with suppress(FileExistsError):  # another process was faster: then it has the lock, too
                _create(path, owner)
            descriptor = os.open(path, _FLAGS)
        try:
            free = locked = lock(descriptor)
        except OSError:
            free, locked = True, False
        if not free:
            os.close(descriptor)
            raise ResumeFileError(ErrorCode.CONFLICT, f"{path} is in use by another subscription.")
        return cls(path, descriptor, locked=locked)

    def _load(self, owner: _Owner) -> None:
        content = read_at(self._descriptor, _SIZE, 0)
        self._check_owner(content[:_HEADER], owner)
        slots = [_read_slot(content[at : at + _SECTOR]) for at in (_HEADER, _HEADER + _SECTOR)]
        whole = [slot for slot in slots if slot is not None]
        if not whole:
            raise self._damaged("no place that can be read")
        self._count, self.place = max(whole, key=lambda slot: slot[0])
        if len(whole) < 2 and self.place.cursor is None:
            raise self._damaged("a first place that cannot be read")

    def _check_owner(self, header: bytes, owner: _Owner) -> None:
        found = _read_header(header)
        if found is None:
            raise self._damaged("no header of a resume file" if header else "nothing")
        if found != owner:
            raise ResumeFileError(
                ErrorCode.CONFLICT,
                f"Expected a resume file of the pattern {owner.pattern!r} in mode {owner.mode!r}; {self._path} is of "
                f"{found.pattern!r} in mode {found.mode!r}.",
            )

    def _damaged(self, content: str) -> ResumeFileError:
        return ResumeFileError(
            ErrorCode.INVALID_MESSAGE,
            f"Expected a resume file, or none; {self._path} holds {content}. Where to go on is not known: "
            "delete it to begin as if for the first time.",
        )


def _create(path: str, owner: _Owner) -> None:
    """Make the file complete under another name first. Raises FileExistsError if there is one meanwhile."""
    temporary = f"{path}.{secrets.token_hex(4)}.new"
    descriptor = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            write_at(descriptor, _header(owner) + _padded(_slot(0, Place())) + _padded(_slot(1, Place())), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        publish_new(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _header(owner: _Owner) -> bytes:
    body = msgspec.json.encode(owner)
    return b"%s %08x %s\n" % (_MAGIC, zlib.crc32(body), body) + b" " * (_HEADER - len(_MAGIC) - 11 - len(body))


def _read_header(header: bytes) -> _Owner | None:
    magic, _, rest = header.partition(b"\n")[0].partition(b" ")
    body = _checked(rest) if magic == _MAGIC else None
    try:
        return None if body is None else msgspec.json.decode(body, type=_Owner)
    except msgspec.MsgspecError:
        return None


def _slot(count: int, place: Place) -> bytes:
    kind = "snapshot" if place.snapshot else "log"
    body = f"{count} {kind} {_NOTHING if place.cursor is None else place.cursor}".encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _read_slot(sector: bytes) -> tuple[int, Place] | None:
    """The count and the place of a slot; None if it is damaged."""
    body = _checked(sector.partition(b"\n")[0])
    try:
        count, kind, cursor = ("" if body is None else body.decode()).split(" ")
        if cursor == _NOTHING:
            return int(count), Place()
        return int(count), Place(str(Cursor.parse(cursor)), kind == "snapshot")
    except (ValueError, SwarmwireError):
        return None


def _checked(text: bytes) -> bytes | None:
    """What stands behind a checksum that is right."""
    checksum, _, body = text.partition(b" ")
    return body if checksum == b"%08x" % zlib.crc32(body) else None


def _padded(record: bytes) -> bytes:
    return record.ljust(_SECTOR, b" ")


def _failed(path: str, what: str, error: Any) -> ResumeFileError:
    return ResumeFileError(
        ErrorCode.UNAVAILABLE, f"The resume file {path} cannot be {what}: {error.strerror or error}."
    )
