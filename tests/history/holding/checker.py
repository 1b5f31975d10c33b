"""The judge of who held what: no two at once, tokens that rise, nothing taken from who was fenced, one end a task."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from .records import Ended, Finished, Got, Killed, LeftOff, Note, Renewed, Settled, Submitted

__all__ = ["Kind", "Violation", "check"]


class Kind(StrEnum):
    """Which promise was broken."""

    SHARED = "shared"
    TOKEN = "token"
    UNFENCED = "unfenced"
    TWICE = "twice"
    NEVER = "never"


class Violation(NamedTuple):
    """A broken promise, in a sentence that names holders and moments."""

    kind: Kind
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


class _Holding:
    """From when a holder knew that it had something until it could not rely on that any longer."""

    def __init__(self, got: Got) -> None:
        self.got = got
        self.start = got.at
        self.relied = got.begun + got.ttl
        self.stopped = math.inf

    @property
    def end(self) -> float:
        return min(self.relied, self.stopped)

    def __str__(self) -> str:
        return f"{self.got.holder} (token {self.got.token}, {self.start:.3f} to {self.end:.3f})"


def check(notes: Iterable[Note]) -> list[Violation]:
    """Everything that is wrong; an empty list if all promises were kept."""
    notes = sorted(notes, key=lambda note: note.at)
    holdings = _holdings(notes)
    return [
        *_shared(holdings),
        *_tokens(holdings),
        *_unfenced(notes, holdings),
        *_ends(notes),
    ]


def _holdings(notes: list[Note]) -> dict[str, list[_Holding]]:
    by_token: dict[tuple[str, int, str], _Holding] = {}
    for note in notes:
        match note:
            case Got():
                # A holder that asks again for what it has goes on with it.
                by_token.setdefault((note.name, note.token, note.holder), _Holding(note))
    for note in notes:
        match note:
            case Renewed() | Got():
                held = by_token.get((note.name, note.token, note.holder))
                if held is not None and note.begun < held.stopped:
                    held.relied = max(held.relied, note.begun + note.ttl)
            case LeftOff():
                held = by_token.get((note.name, note.token, note.holder))
                if held is not None:
                    held.stopped = min(held.stopped, note.begun)
            case Killed():
                for (_, _, holder), held in by_token.items():
                    if holder == note.holder:
                        held.stopped = min(held.stopped, note.at)
    found: dict[str, list[_Holding]] = defaultdict(list)
    for (name, _, _), held in by_token.items():
        found[name].append(held)
    return {name: sorted(all_, key=lambda held: held.start) for name, all_ in found.items()}


def _shared(holdings: dict[str, list[_Holding]]) -> Iterator[Violation]:
    for name, all_ in holdings.items():
        latest: _Holding | None = None
        for held in all_:
            if latest is not None and held.start < latest.end and held.start < held.end:
                yield Violation(Kind.SHARED, f"{name} was held by {latest} and by {held} at once.")
            if latest is None or held.end > latest.end:
                latest = held


def _tokens(holdings: dict[str, list[_Holding]]) -> Iterator[Violation]:
    for name, all_ in holdings.items():
        for token, count in Counter(held.got.token for held in all_).items():
            if count > 1:
                yield Violation(Kind.TOKEN, f"{count} holders of {name} had the token {token}.")
        for one, other in pairwise(sorted(all_, key=lambda held: held.got.token)):
            if other.got.at < one.got.begun:
                yield Violation(Kind.TOKEN, f"{name}: {one} came after {other}, but its token is lower.")


def _unfenced(notes: list[Note], holdings: dict[str, list[_Holding]]) -> Iterator[Violation]:
    for note in notes:
        if isinstance(note, Finished | Renewed):
            for held in holdings.get(note.name, ()):
                if held.got.token > note.token and held.start < note.begun:
                    what = type(note).__name__.lower()
                    yield Violation(
                        Kind.UNFENCED, f"{note.name} was {what} by {note.holder} with {note.token}, after {held}."
                    )


def _ends(notes: list[Note]) -> Iterator[Violation]:
    finishes = Counter(note.name for note in notes if isinstance(note, Finished))
    ends = Counter(note.name for note in notes if isinstance(note, Ended))
    for what, counts in (("was finished", finishes), ("ended", ends)):
        for name, count in counts.items():
            if count > 1:
                yield Violation(Kind.TWICE, f"{name} {what} {count} times.")
    if any(isinstance(note, Settled) for note in notes):
        for note in notes:
            if isinstance(note, Submitted) and note.name not in ends:
                yield Violation(Kind.NEVER, f"{note.name} was submitted and never came to an end.")
        for name in finishes.keys() - ends.keys():
            yield Violation(Kind.NEVER, f"{name} was finished, and nobody was told.")
