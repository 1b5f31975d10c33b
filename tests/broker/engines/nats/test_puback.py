"""What a stream's answers are taken for."""

from __future__ import annotations

import pytest

from swarmwire_broker.engines.nats.publishing.pending import Stage
from swarmwire_broker.engines.nats.publishing.puback import PubAcks, Verdict


@pytest.mark.parametrize(
    "form", [b'{"stream":"s", "seq":%d}', b'{"stream":"s","seq":%d}', b'{"stream":"s","domain":"d","seq":%d}']
)
def test_after_the_first_answer_only_the_number_of_the_usual_ones_is_read(form: bytes) -> None:
    acks = PubAcks()
    assert acks.seq(form % 7) == 0
    assert acks.verdict(b"", form % 7) == Verdict(Stage.STORED, 7)
    assert acks.seq(form % 1_234) == 1_234


@pytest.mark.parametrize(
    "payload",
    [
        b'{"stream":"s","seq":8,"duplicate":true}',
        b'{"stream":"t","seq":8}',
        b'{"stream":"s","seq":}',
        b'{"stream":"s","seq":8 }',
        b'{"error":{"code":503},"stream":"s","seq":0}',
        b"",
    ],
)
def test_an_unusual_answer_is_never_taken_for_a_usual_one(payload: bytes) -> None:
    acks = PubAcks()
    acks.verdict(b"", b'{"stream":"s","seq":7}')
    assert acks.seq(payload) == 0


def test_a_form_whose_number_is_not_at_the_end_is_read_as_a_whole_each_time() -> None:
    acks = PubAcks()
    for seq in (7, 8):
        payload = b'{"stream":"s","seq":%d,"domain":"d"}' % seq
        assert acks.seq(payload) == 0
        assert acks.verdict(b"", payload) == Verdict(Stage.STORED, seq)


@pytest.mark.parametrize(
    ("headers", "payload", "stage"),
    [
        (b"NATS/1.0 503\r\n\r\n", b"", Stage.REFUSED),
        (b"", b'{"error":{"code":503,"err_code":10008,"description":"x"},"stream":"s","seq":0}', Stage.REFUSED),
        (b"", b'{"error":{"code":429,"err_code":10167,"description":"x"},"stream":"s","seq":0}', Stage.REFUSED),
        (b"", b'{"error":{"code":409,"err_code":10158,"description":"x"},"stream":"s","seq":0}', Stage.UNKNOWN),
        (b"", b'{"error":{"code":400,"err_code":10054,"description":"x"},"stream":"s","seq":0}', Stage.FAILED),
        (b"", b"what?", Stage.UNKNOWN),
        (b"", b'{"stream":"s","seq":0}', Stage.UNKNOWN),
    ],
)
def test_what_is_no_acknowledgement_says_what_it_can(headers: bytes, payload: bytes, stage: Stage) -> None:
    assert PubAcks().verdict(headers, payload) == Verdict(stage)


def test_a_duplicate_has_the_place_of_the_first() -> None:
    verdict = PubAcks().verdict(b"", b'{"stream":"s","seq":8,"duplicate": true}')
    assert verdict == Verdict(Stage.STORED, 8, True)
