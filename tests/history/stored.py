"""Success means done: what was acknowledged is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from . import missing, snapshots
from .case import Case
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    """An acknowledged event that nobody who came past its place was given is in no log."""
    seen = {event.number for story in case.stories for event in story.events}
    for story in case.stories:
        for hole in chain(missing.holes(case, story), snapshots.holes(case, story)):
            stored = hole.stored
            if stored.number in case.truth.acks and stored.number not in seen:
                seen.add(stored.number)
                yield Violation(
                    Kind.UNSTORED,
                    f"{stored} was acknowledged to {stored.client}, but nobody who came past that place was given it.",
                )
