"""Revocations: which tokens and subjects are no longer let in."""

from __future__ import annotations

import time
from collections.abc import Callable

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.ports import Verified

__all__ = ["Revocations"]


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
