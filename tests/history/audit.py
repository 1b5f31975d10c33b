"""What is really in the log, by somebody who read it past the broker: all that was acknowledged, and no more."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .records import Audited, Held
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    """Doubles, and places that two events claim, are found with those that were delivered."""
    held = {(each.epoch, each.seq): each for each in case.records if isinstance(each, Held)}
    for record in case.records:
        if isinstance(record, Audited):
            yield from _unstored(case, record, held)
    for each in held.values():
        yield from _phantom(case, each)


def _unstored(case: Case, audited: Audited, held: dict[tuple[str, int], Held]) -> Iterator[Violation]:
    for ack in case.truth.acks.values():
        if ack.epoch != audited.epoch or ack.seq < audited.first:
            continue
        found = held.get((ack.epoch, ack.seq))
        if found is None or found.number != ack.number:
            instead = "nothing" if found is None else f"event {found.number}"
            yield Violation(
                Kind.UNSTORED,
                f"event {ack.number} was acknowledged to {ack.client} at {ack.epoch}:{ack.seq}, "
                f"but the log, which goes from {audited.first} to {audited.last}, holds {instead} there.",
            )


def _phantom(case: Case, held: Held) -> Iterator[Violation]:
    what = f"the log holds event {held.number} at {held.epoch}:{held.seq}"
    if held.number not in case.truth.publishes:
        yield Violation(Kind.PHANTOM, f"{what}, which nobody published.")
    elif held.number in case.truth.refused:
        yield Violation(Kind.PHANTOM, f"{what}, whose publish was refused as not done.")
