"""Snapshots of the state: when one is due, how it is cut into messages, and how it is put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from ...base import Stored
from .journal import Fold

__all__ = ["DamagedSnapshot", "Pointer", "chunks_of", "decode_pointer", "encode_pointer", "is_due", "plan", "restored"]

_LEAST: Final = 512 * 1024
"""What the journal may cost whoever loads it, in bytes, however small the state is."""
_CHUNK: Final = 256 * 1024
_ENTRY: Final = 32
"""What an entry takes up beside its key and its value, rounded up."""

Entry = tuple[str, bytes, int]
"""A key, its value and its revision."""


class DamagedSnapshot(Exception):
    """Its chunks are not those that its pointer counts: another has taken its place, or it was never whole."""


class Pointer(Struct, frozen=True):
    """The message that makes a snapshot the one that counts, written when all its chunks are stored.

    Attributes:
        g: its name: the last part but one of the subjects of its chunks.
        n: how many chunks it has.
        k: how many keys.
        s, v: the place in the journal up to which it goes, and the name of the group there.
        f: the place from which the journal is still needed: groups from there on may have events that are not told.
        r: the revision at that place.
        t, o: the term, and who began it.
        d: the events of groups up to here are in the log.
        w: who wrote, and the number of the last group of each.
        b: bytes of all chunks.
    """

    g: str
    n: int
    k: int
    s: int
    v: str
    f: int
    r: int
    t: int
    o: str
    d: int
    w: list[tuple[str, int]]
    b: int

    def counted(self, chunks: int, size: int) -> Pointer:
        """The same with so many chunks of so many bytes."""
        return msgspec.structs.replace(self, n=chunks, b=size)


_encoder: Final = msgspec.msgpack.Encoder()
_pointers: Final = msgspec.msgpack.Decoder(Pointer)
_chunks: Final = msgspec.msgpack.Decoder(list[Entry])


def encode_pointer(pointer: Pointer) -> bytes:
    return _encoder.encode(pointer)


def decode_pointer(payload: bytes) -> Pointer:
    """The pointer that a message is; msgspec.DecodeError for what is none."""
    return _pointers.decode(payload)


def is_due(fold: Fold) -> bool:
    """Whether the journal since the last snapshot has outgrown that.

    So a load reads at most twice the state (or half a megabyte), and a change is written about twice in the long run.
    """
    return fold.cost > max(_LEAST, fold.snapshot_cost)


def plan(fold: Fold, name: str) -> Pointer:
    """What will point to a snapshot of this fold as it is now, once its chunks are counted."""
    return Pointer(
        g=name,
        n=0,
        k=len(fold.state),
        s=fold.seq,
        v=fold.last,
        f=min(fold.seq, next(iter(fold.doubtful), fold.seq)),
        r=fold.state.revision,
        t=fold.term,
        o=fold.owner,
        d=fold.told,
        w=list(fold.writers),
        b=0,
    )


def chunks_of(items: Iterable[tuple[str, Stored]], most_bytes: int) -> Iterator[bytes]:
    """The keys as messages of about a quarter of a megabyte, and of at most `most_bytes` where each entry allows it."""
    most = min(_CHUNK, most_bytes)
    gathered: list[Entry] = []
    size = 0
    for key, stored in items:
        more = _ENTRY + len(key.encode()) + len(stored.value)
        if gathered and size + more > most:
            yield _encoder.encode(gathered)
            gathered, size = [], 0
        gathered.append((key, stored.value, stored.revision))
        size += more
    if gathered:
        yield _encoder.encode(gathered)


def restored(pointer: Pointer, chunks: Mapping[int, bytes] | Sequence[bytes]) -> Fold:
    """What a snapshot says, from its chunks in order.

    Raises:
        DamagedSnapshot: they are not what the pointer counts.
    """
    values: dict[str, Stored] = {}
    for number in range(pointer.n):
        try:
            entries = _chunks.decode(chunks[number])
        except (LookupError, msgspec.DecodeError):
            raise DamagedSnapshot(f"chunk {number} of {pointer.n} of snapshot {pointer.g} is not there") from None
        values.update((key, Stored(value, revision)) for key, value, revision in entries)
    if len(values) != pointer.k:
        raise DamagedSnapshot(f"snapshot {pointer.g} has {len(values)} keys instead of {pointer.k}")
    fold = Fold()
    fold.state.restore(values, pointer.r)
    fold.seq = fold.snapshot_seq = pointer.s
    fold.last = pointer.v
    fold.snapshot_cost = pointer.b
    fold.term, fold.owner = pointer.t, pointer.o
    fold.recorded = pointer.d
    fold.writers = pointer.w
    return fold
