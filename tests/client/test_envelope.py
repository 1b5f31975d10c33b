"""The sealed form against its vectors, which other SDKs read too."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from swarmwire import Encryption, Key, Keyring, SealedPayloadError
from swarmwire.envelope import bound_to, open_envelope, read_envelope, seal
from swarmwire.sealing import Sealing
from swarmwire_protocol.messages import Event

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/sealed.json").read_text(encoding="utf-8"))
KEYS = {each["name"]: Key(each["name"], bytes.fromhex(each["key"])) for each in VECTORS["keys"]}
RING = Keyring(KEYS.values())

_texts = st.text(max_size=20)
_bindings = st.tuples(_texts, _texts, st.none() | _texts, st.integers(0, 2**53 - 1))


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def named(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["name"])


def test_the_id_of_a_key_is_its_name_and_a_fingerprint() -> None:
    for each in VECTORS["keys"]:
        digest = hashlib.sha256(b"swarmwire key id\0" + bytes.fromhex(each["key"])).hexdigest()
        assert each["id"] == KEYS[each["name"]].id == f"{each['name']}:{digest[:8]}"


@named(VECTORS["sealed"])
def test_sealing_gives_exactly_the_vector(case: dict[str, Any]) -> None:
    key, nonce = KEYS[case["key"]], bytes.fromhex(case["nonce"])
    sealed = seal(case["plain"].encode(), key, case["topic"], case.get("message_key"), case["t"], nonce)
    assert json.loads(bytes(sealed)) == case["data"]


@named(VECTORS["sealed"])
def test_a_vector_opens_with_nothing_but_the_cipher(case: dict[str, Any]) -> None:
    envelope = case["data"]["sealed"]
    parts = ["swarmwire.sealed", "1", envelope["kid"], case["topic"], str(envelope["t"])]
    parts += [envelope["k"]] if "k" in envelope else []
    bound = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    assert bound.hex() == case["bound_to"]

    secret = next(bytes.fromhex(each["key"]) for each in VECTORS["keys"] if each["name"] == case["key"])
    nonce, cipher = (base64.urlsafe_b64decode(envelope[name] + "==") for name in ("n", "c"))
    assert AESGCM(secret).decrypt(nonce, cipher, bound).decode() == case["plain"]


@named(VECTORS["sealed"])
def test_a_vector_opens(case: dict[str, Any]) -> None:
    envelope = read_envelope(raw(case["data"]))
    assert envelope is not None
    assert open_envelope(envelope, KEYS[case["key"]], case["topic"])[1].decode() == case["plain"]


@named(VECTORS["refused"])
def test_what_is_no_sealed_payload_of_ours_is_a_named_error(case: dict[str, Any]) -> None:
    opener = Sealing(Encryption(RING)).opener()
    event = Event(topic=case["topic"], ts=1764000000000, seq=7, data=raw(case["data"]))
    with pytest.raises(SealedPayloadError) as caught:
        opener.open(event, "e")
    assert type(caught.value).__name__ == case["error"]
    assert (caught.value.topic, caught.value.cursor) == (case["topic"], "e:7")


def test_the_vectors_name_every_error_but_the_replay() -> None:
    assert {case["error"] for case in VECTORS["refused"]} == {"TamperedPayload", "UnknownKey", "PlainPayload"}


@given(_bindings, _bindings)
def test_different_things_are_never_bound_by_the_same_bytes(one: Any, other: Any) -> None:
    assert (bound_to(*one) == bound_to(*other)) == (one == other)


@given(st.binary(max_size=200), _bindings, st.data())
def test_no_change_of_a_byte_goes_unnoticed(plain: bytes, binding: Any, data: st.DataObject) -> None:
    topic, _, message_key, t = binding
    key = KEYS["hr"]
    sealed = json.loads(bytes(seal(plain, key, topic, message_key, t, bytes(12))))["sealed"]
    envelope = read_envelope(raw({"sealed": sealed}))
    assert envelope is not None
    assert open_envelope(envelope, key, topic)[1] == plain

    cipher = bytearray(base64.urlsafe_b64decode(sealed["c"] + "=="))
    cipher[data.draw(st.integers(0, len(cipher) - 1))] ^= data.draw(st.integers(1, 255))
    changed = {**sealed, "c": base64.urlsafe_b64encode(cipher).rstrip(b"=").decode()}
    event = Event(topic="a", ts=t, seq=1, data=raw({"sealed": changed}))
    with pytest.raises(SealedPayloadError):
        Sealing(Encryption(RING)).opener().open(event, "e")


_leaves = st.none() | st.integers() | st.text(max_size=5)
_fields = st.sampled_from(["sealed", "v", "more"])


@given(_leaves | st.lists(_leaves) | st.dictionaries(_fields, st.dictionaries(_fields, _leaves)))
def test_plain_data_is_never_taken_for_sealed(value: Any) -> None:
    if not (isinstance(value, dict) and set(value) == {"sealed"}):
        assert read_envelope(raw(value)) is None


def test_deep_data_is_plain_data() -> None:
    deep = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert read_envelope(msgspec.Raw(deep)) is None


@pytest.mark.parametrize("data", [b'{"\xff":1}', b'{"sealed":{"v":1,"kid":"\xff"}}', b'{"sealed":{"v":1,"\xff":1}}'])
def test_text_that_is_no_utf8_is_an_error_by_name(data: bytes) -> None:
    with pytest.raises(SealedPayloadError):
        Sealing(Encryption(RING)).opener().open(Event(topic="a", ts=1, seq=1, data=msgspec.Raw(data)), "e")


_values = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=24)
_broken = st.fixed_dictionaries(
    {},
    optional={
        name: _values | st.sampled_from([1, *(each["id"] for each in VECTORS["keys"])])
        for name in ["v", "kid", "t", "n", "c", "k"]
    },
)


@given(_broken, st.booleans())
def test_whatever_an_envelope_holds_only_named_errors_come_of_it(fields: dict[str, Any], versioned: bool) -> None:
    event = Event(topic="a", ts=1, seq=1, data=raw({"sealed": {**fields, **({"v": 1} if versioned else {})}}))
    with pytest.raises(SealedPayloadError):
        Sealing(Encryption(RING)).opener().open(event, "e")
