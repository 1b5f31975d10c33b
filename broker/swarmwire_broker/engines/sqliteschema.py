"""The file of the durable log: its tables, how it is made, and what is looked at before it is trusted."""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

from swarmwire_protocol.cursor import new_epoch

__all__ = ["APPLICATION_ID", "FILE", "SCHEMA_VERSION", "DamagedLog", "LogFile", "connect", "open_file"]

log = logging.getLogger("swarmwire.broker.engine")

FILE: Final = "swarmwire.db"
APPLICATION_ID: Final = 0x53574D57
"""`SWMW`: what tells the file from any other of SQLite's."""
SCHEMA_VERSION: Final = 1

_SQLITE: Final = (3, 35, 0)
"""The first version that has every statement used here."""
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_ALWAYS_CHECKED: Final = 16 * 1024 * 1024
"""Up to so many bytes a file is read through at every start."""
_CHECKED: Final = 512 * 1024 * 1024
"""Up to so many bytes it is after an unclean stop."""

_TABLES: Final = """
CREATE TABLE log(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    latest_floor INTEGER NOT NULL,
    clean INTEGER NOT NULL,
    lazy INTEGER NOT NULL,
    boot TEXT NOT NULL,
    rules TEXT NOT NULL,
    rules_since INTEGER NOT NULL
);
CREATE TABLE topics(id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE);
CREATE TABLE rules(
    id INTEGER PRIMARY KEY,
    pattern TEXT NOT NULL UNIQUE,
    floor INTEGER NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE TABLE events(
    seq INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL,
    rule_id INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    clear INTEGER NOT NULL,
    hidden_from TEXT,
    payload BLOB NOT NULL
);
CREATE INDEX events_by_topic ON events(topic_id);
CREATE TABLE last(
    topic_id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    hidden_from TEXT,
    payload BLOB NOT NULL
);
CREATE INDEX last_by_seq ON last(seq);
CREATE TABLE keys(
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    until INTEGER NOT NULL
);
CREATE TABLE state(key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO rules VALUES (0, '', 0, 0, 0);
"""


class DamagedLog(OSError):
    """The file is not one this broker can go on with. Nothing of it was changed; the sentence says what is wrong."""


class LogFile(NamedTuple):
    """What the file says of itself at the start."""

    epoch: str
    head: int
    ts: int
    revision: int
    latest_floor: int


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection without transactions of its own, for one thread at a time.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=5.0,
        cached_statements=256,
    )
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def open_file(directory: Path, *, lazily: bool) -> tuple[sqlite3.Connection, LogFile]:
    """Open the log of a directory for writing, made new where there is none. The directory must be locked.

    With `lazily` a commit does not wait for the disk.

    Raises:
        DamagedLog: the file is foreign, damaged, or of a newer version.
        OSError, sqlite3.Error: it cannot be opened or made, or the SQLite of this Python is too old.
    """
    if sqlite3.sqlite_version_info < _SQLITE:
        raise OSError(
            f"a log on disk needs SQLite {'.'.join(map(str, _SQLITE))} or newer, got {sqlite3.sqlite_version}"
        )
    path = directory / FILE
    if not path.exists():
        _make(path)
    _check_header(path)
    _inspect(path)
    connection = connect(path)
    try:
        _configure(connection)
        found = _begin(connection, lazily)
        if lazily:
            connection.execute("PRAGMA synchronous=NORMAL")
        return connection, found
    except BaseException:
        connection.close()
        raise


# ---- making


def _make(path: Path) -> None:
    """Make the file in full under another name first: there is never half a log."""
    leftovers = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    if found := [one.name for one in leftovers if one.exists()]:
        raise DamagedLog(f"{path} is missing, but {found[0]} is there: a part of a log that was moved away")
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.executescript(
            f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}; BEGIN; {_TABLES}"
            f"INSERT INTO log VALUES (1, '{new_epoch()}', 0, 0, 0, 0, 1, 0, '', '[]', 0); COMMIT;"
        )
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    os.replace(new, path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# ---- looking at it


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise DamagedLog(f"{path} is not a log of Swarmwire: expected an SQLite file, got something else")
    (version,) = struct.unpack_from(">I", header, 60)
    (application,) = struct.unpack_from(">I", header, 68)
    if application != APPLICATION_ID:
        raise DamagedLog(f"{path} is not a log of Swarmwire: it is a database of another application")
    if version > SCHEMA_VERSION:
        raise DamagedLog(
            f"{path} was written by a newer Swarmwire (its schema is {version}, this one knows up to {SCHEMA_VERSION})"
        )


def _inspect(path: Path) -> None:
    """Look at the pages and at what the log says of itself, by a connection that cannot change anything."""
    connection = connect(path, read_only=True)
    try:
        _check_pages(connection, path)
        row = connection.execute("SELECT head, (SELECT coalesce(max(seq), 0) FROM events) FROM log").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from None
    finally:
        connection.close()
    if row is None:
        raise _damaged(path, "it does not say where it stands")
    if row[1] > row[0]:
        raise _damaged(path, f"it ends at {row[0]} and holds {row[1]}")


def _damaged(path: Path, what: str) -> DamagedLog:
    return DamagedLog(f"the log {path} is damaged: {what}; nothing of it was changed")


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Read the file through where that is quick, or where it was not closed and is not huge."""
    clean = connection.execute("SELECT clean FROM log").fetchone() == (1,)
    size = path.stat().st_size
    if size > _CHECKED or (clean and size > _ALWAYS_CHECKED):
        if not clean:
            log.warning("the log was not closed; it is too large to be read through first", extra={"bytes": size})
        return
    if size > _ALWAYS_CHECKED:
        log.info("the log was not closed; reading it through", extra={"bytes": size})
    began = time.monotonic()
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, str(verdict))
    if size > _ALWAYS_CHECKED:
        log.info("the log is in order", extra={"seconds": round(time.monotonic() - began, 3)})


# ---- beginning


def _configure(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"expected the journal mode wal, got {mode}: the file system cannot do it")
    # At first even for a lazy log: that it is in use must be on the disk before anything that may be lost.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute("PRAGMA journal_size_limit=67108864")


def _begin(connection: sqlite3.Connection, lazily: bool) -> LogFile:
    """Note that the log is in use, under another epoch if its end may have been lost."""
    row = connection.execute("SELECT epoch, head, ts, revision, latest_floor, clean, lazy, boot FROM log").fetchone()
    epoch, head, ts, revision, latest_floor, clean, lazy, boot = row
    here = _boot()
    if lazy and not clean and (not here or boot != here):
        # What the disk had not been told may be gone: the places after the end may have been given before.
        epoch = new_epoch()
        log.warning("the machine went down with a log that was stored lazily: it goes on under a new epoch")
    connection.execute("UPDATE log SET epoch = ?, clean = 0, lazy = ?, boot = ?", (epoch, int(lazily), here))
    return LogFile(epoch, head, ts, revision, latest_floor)


def _boot() -> str:
    """What names the time since the machine was started; empty where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
