"""Revocations: which tokens and subjects are no longer let in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.ports import Verified

__all__ = ["Revocations"]

_SAME_MS: Final = 5_000
"""By so much two brokers may differ about the time of one revocation: it took its way from the one to the other."""


class Revocations:
    """A bounded record of what was revoked, kept until it is restored or, for a token, has expired.

    Revoking here refuses logins from now on; live sessions are for the hub to drop. Nothing is ever forgotten
    to make room: at `max_entries` a further revocation fails.
    """

    def __init__(self, max_entries: int = 10_000, now_ms: Callable[[], int] | None = None) -> None:
        self._max = max_entries
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self._subjects: dict[str, int] = {}
        self._tokens: dict[str, int | None] = {}

    def __len__(self) -> int:
        return len(self._subjects) + len(self._tokens)

    def revoke_subject(self, subject: str) -> None:
        """Refuse every token of this subject that was issued up to now, or does not say when it was.

        Token times have whole seconds as a rule, so a new token is accepted from the next second on.
        Raises SwarmwireError LIMIT_EXCEEDED if the record is full.
        """
        self._make_room(known=subject in self._subjects)
        self._subjects[subject] = self._now_ms()

    def revoke_token(self, token_id: str, expires_at: int | None = None) -> None:
        """Refuse the token with this id (`jti`).

        `expires_at`, in milliseconds since 1970, is when the token ends by itself and need not be remembered
        any longer; None remembers it for ever. Raises SwarmwireError LIMIT_EXCEEDED if the record is full.
        """
        self._make_room(known=token_id in self._tokens)
        self._tokens[token_id] = expires_at

    # ---- of other brokers

    def told(self) -> tuple[dict[str, float], dict[str, float | None]]:
        """All that there is, as durations in seconds: since when by subject, for how long yet by token (None: ever)."""
        now = self._now_ms()
        left = {name: None if end is None else (end - now) / 1000 for name, end in self._tokens.items()}
        return (
            {name: (now - at) / 1000 for name, at in self._subjects.items()},
            {name: seconds for name, seconds in left.items() if seconds is None or seconds > 0},
        )

    def hear(
        self, subjects: Mapping[str, float], tokens: Mapping[str, float | None]
    ) -> Iterator[tuple[str | None, str | None]]:
        """Take over what another has `told`; each subject and each token that is new, once it is refused.

        Raises SwarmwireError LIMIT_EXCEEDED if the record is full.
        """
        now = self._now_ms()
        for subject, since in subjects.items():
            at = now - int(since * 1000)
            known = self._subjects.get(subject)
            if known is None or known < at - _SAME_MS:
                self._make_room(known=known is not None)
                self._subjects[subject] = at
                yield subject, None
        for token_id, left in tokens.items():
            if token_id not in self._tokens:
                self.revoke_token(token_id, None if left is None else now + int(left * 1000))
                yield None, token_id

    # ---- restoring

    def restore_subject(self, subject: str) -> bool:
        """Take a revocation back; False if there was none."""
        return self._subjects.pop(subject, None) is not None

    def restore_token(self, token_id: str) -> bool:
        """Take a revocation back; False if there was none."""
        return self._tokens.pop(token_id, _ABSENT) is not _ABSENT

    def is_revoked(self, verified: Verified, issued_at: int | None = None) -> bool:
        """Whether a login by a token issued at this time, in milliseconds since 1970, is to be refused."""
        if verified.token_id is not None and verified.token_id in self._tokens:
            return True
        revoked_at = self._subjects.get(verified.subject)
        return revoked_at is not None and (issued_at is None or issued_at <= revoked_at)

    def _make_room(self, *, known: bool) -> None:
        if known or len(self) < self._max:
            return
        now = self._now_ms()
        self._tokens = {name: end for name, end in self._tokens.items() if end is None or end > now}
        if len(self) >= self._max:
            raise SwarmwireError(
                ErrorCode.LIMIT_EXCEEDED, f"At most {self._max} revocations are remembered; that many there are."
            )


_ABSENT = object()
