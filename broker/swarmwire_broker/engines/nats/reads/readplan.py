"""Which part of the stream a read wants, as the configuration of a consumer."""

from __future__ import annotations

from typing import Any, Final

from ...matcher import Matcher
from ..filters import FilterTree, Shape
from ..subjects import Filter, Subjects, filters_of

__all__ = ["Wanted", "filtered"]

_MOST_FILTERS: Final = 64
_SEVERAL_SINCE: Final = (2, 10)
"""The first version of the server that takes several filters; an older one passes over them without a word."""

_NARROW: Final = Shape(_MOST_FILTERS, _MOST_FILTERS)


class Wanted:
    """The events of some patterns: all of them, or with `until` the last ones of their topics, as of that place."""

    def __init__(self, matcher: Matcher, until: int | None = None) -> None:
        self.is_snapshot = until is not None
        self.key = (matcher.literals, matcher.wildcards, until)
        self.matcher = matcher

    def config(self, subjects: Subjects, version: tuple[int, ...], after: int) -> dict[str, Any]:
        """What gives them, to a server of this version, from behind a place on."""
        if self.is_snapshot:
            # A server may refuse this without any filter.
            where = filtered(subjects, version, self.matcher) or {"filter_subject": subjects.everything.decode()}
            return {"deliver_policy": "last_per_subject", **where}
        return {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            **filtered(subjects, version, self.matcher),
        }


def filtered(subjects: Subjects, version: tuple[int, ...], matcher: Matcher) -> dict[str, Any]:
    """The filters of a consumer of what patterns match: none where they would match everything."""
    tree = FilterTree(one for pattern in (*matcher.literals, *matcher.wildcards) for one in filters_of(pattern))
    cover: tuple[Filter, ...] = tree.cover(_MOST_FILTERS if version >= _SEVERAL_SINCE else 1, _NARROW)
    names = [subjects.filter(one).decode() for one in cover] or [subjects.nothing.decode()]
    if names == [subjects.everything.decode()]:
        return {}
    return {"filter_subject": names[0]} if len(names) == 1 else {"filter_subjects": names}
