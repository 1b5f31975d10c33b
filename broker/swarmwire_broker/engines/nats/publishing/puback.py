"""What a stream answers to a publish."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from ....natslink.headers import status_of
from .pending import Stage

__all__ = ["PubAcks", "Verdict"]

_TOO_LARGE: Final = 10054
_IN_PROCESS: Final = 10158
_NO_RESPONDERS: Final = 503


class Verdict(NamedTuple):
    """What became of a publish: stored at a place (perhaps before, under its id), or not, or nobody knows."""

    stage: Stage
    seq: int = 0
    duplicate: bool = False


class PubAcks:
    """Reads answers. Nearly all are the same but for the number at their end, which is all that is read of these."""

    def __init__(self) -> None:
        self._begin = b""

    def seq(self, payload: bytes) -> int:
        """The place that a usual answer tells; 0: it is another, and `verdict` tells what it says."""
        begin = self._begin
        if begin and payload.startswith(begin):
            number = payload[len(begin) : -1]
            if number.isdigit():
                return int(number)
        return 0

    def verdict(self, headers: bytes, payload: bytes) -> Verdict:
        """What any answer says."""
        answer = _decoded(payload)
        error, seq = answer.get("error"), answer.get("seq")
        if error is None and isinstance(seq, int) and seq > 0:
            duplicate = bool(answer.get("duplicate"))
            if not duplicate:
                self._learn(payload, seq)
            return Verdict(Stage.STORED, seq, duplicate)
        number = error.get("err_code") if isinstance(error, dict) else 0
        if number == _TOO_LARGE:
            return Verdict(Stage.FAILED)
        if number == _IN_PROCESS or (error is None and status_of(headers) != _NO_RESPONDERS):
            return Verdict(Stage.UNKNOWN)
        return Verdict(Stage.REFUSED)

    def _learn(self, payload: bytes, seq: int) -> None:
        number = b"%d}" % seq
        self._begin = payload[: -len(number)] if payload.endswith(b":" + number) else b""


def _decoded(payload: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
