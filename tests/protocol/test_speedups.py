from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from swarmwire_protocol import accelerators, codec, fallbacks
from swarmwire_protocol.codec import MAX_DEPTH, check_data, decode_from_broker, decode_from_client, event_head
from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.framing import PREFACE, StreamDecoder, encode_frame
from swarmwire_protocol.messages import Event, Publish

TWINS: list[Any] = [fallbacks]
"""Two of each function where it was compiled, else the one in Python alone."""

with suppress(ImportError):
    TWINS.append(import_module("swarmwire_protocol.speedups"))

IS_COMPILED = len(TWINS) == 2

both = pytest.mark.parametrize("module", TWINS, ids=lambda module: module.__name__.rpartition(".")[2])

Reading = tuple[str, bytes, int | str | None, str | None]


def test_what_the_rest_of_the_code_gets_is_compiled_where_that_was_possible() -> None:
    chosen = TWINS[-1]
    assert accelerators.__all__ == fallbacks.__all__
    functions = set(accelerators.__all__) - {"PlainPublish"}  # a type that both share
    assert {name: getattr(accelerators, name) for name in functions} == {
        name: getattr(chosen, name) for name in functions
    }
    assert codec.encode_event is chosen.encode_event


# ---- Publishes: the scanner may leave a message to the codec, but never read it in another way


def ordinary(raw: bytes) -> Reading | None:
    """How the codec reads a publish; None for every other message, and for what it refuses."""
    with suppress(SwarmwireError):
        match decode_from_client(raw):
            case Publish(headers=None, echo=True, ephemeral=False, clear=False) as message:
                return message.topic, check_data(message.data), message.id, message.key
    return None


def scanned(raw: bytes) -> Reading | None:
    """What the scanner says of a message, once it is known to agree with the codec."""
    found = accelerators.scan_publish(raw)
    if found is not None:
        expected = ordinary(raw)
        assert (found, type(found[2])) == (expected, type(expected and expected[2]))
    return found


def recognised(raw: bytes) -> bool:
    """Whether the scanner reads a message that the codec takes: the fallback does not read any."""
    assert ordinary(raw) is not None
    return (scanned(raw) is not None) == IS_COMPILED


def left_alone(raw: bytes) -> bool:
    return accelerators.scan_publish(raw) is None


def with_data(data: str) -> bytes:
    return f'{{"type":"publish","topic":"a.b","data":{data}}}'.encode()


def with_key(written: str) -> bytes:
    return f'{{"type":"publish","topic":"a.b","key":{written},"data":1}}'.encode()


def with_id(written: str) -> bytes:
    return f'{{"type":"publish","topic":"a.b","data":1,"id":{written}}}'.encode()


SPACE = st.sampled_from(["", "", "", " ", "\t", "  \t "])
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'), max_size=20)
ESCAPED = st.lists(PLAIN | st.sampled_from(['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]), max_size=5)
STRINGS = ESCAPED.map(lambda parts: f'"{"".join(parts)}"')
DIGITS = st.integers(0, 10**17 - 1).map(str)
NUMBERS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "-"]),
        DIGITS,
        st.just("") | DIGITS.map(lambda digits: f".{digits}"),
        st.just("") | st.from_regex(r"[eE][+-]?[0-9]{1,2}", fullmatch=True),
    ),
)


def spaced(*parts: str) -> st.SearchStrategy[str]:
    return st.tuples(*[SPACE] * len(parts)).map(
        lambda spaces: "".join(part for pair in zip(spaces, parts, strict=True) for part in pair)
    )


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    values = draw(st.lists(inner, max_size=4))
    is_object = draw(st.booleans())
    tokens = ["{" if is_object else "["]
    for position, value in enumerate(values):
        tokens += [","] if position else []
        tokens += [draw(STRINGS), ":"] if is_object else []
        tokens.append(value)
    return draw(spaced(*tokens, "}" if is_object else "]"))


SCALARS = NUMBERS | STRINGS | st.sampled_from(["true", "false", "null"])
VALUES = st.recursive(SCALARS, containers, max_leaves=12)
IDS = st.integers(0, 10**15 - 1).map(str) | PLAIN.filter(
    lambda text: 0 < len(text.encode()) <= 64 and not text.startswith("b:")
).map(lambda text: f'"{text}"')


@st.composite
def common_publishes(draw: st.DrawFn, values: st.SearchStrategy[str] = VALUES) -> bytes:
    members = {"type": '"publish"', "topic": f'"{draw(PLAIN)}"', "data": draw(values)}
    if draw(st.booleans()):
        members["id"] = draw(IDS)
    if draw(st.booleans()):
        members["key"] = f'"{draw(PLAIN.filter(bool))}"'
    tokens = ["{"]
    for position, name in enumerate(draw(st.permutations(list(members)))):
        tokens += [","] if position else []
        tokens += [f'"{name}"', ":", members[name]]
    return draw(spaced(*tokens, "}", "")).encode()


@given(common_publishes())
def test_a_common_publish_is_recognised(raw: bytes) -> None:
    assert recognised(raw)


WILD_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WILD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WILD_TEXT, inner, max_size=4),
    max_leaves=10,
)
WILD_MEMBER = st.tuples(
    st.sampled_from(["type", "topic", "data", "id", "key", "headers", "echo", "ephemeral", "clear", "from", "x", ""]),
    st.sampled_from(["publish", "call", "a.b", "b:1", "", None, True, False, 0, -1, 1.0, 10**15, "i" * 65, {}, []])
    | WILD,
)


@given(st.lists(WILD_MEMBER, max_size=4), st.sampled_from([None, 1]), st.booleans(), st.randoms(use_true_random=False))
def test_members_that_are_odd_or_come_twice_are_never_misread(
    members: list[tuple[str, Any]], indent: int | None, in_ascii: bool, order: random.Random
) -> None:
    members = [("type", "publish"), ("topic", "t"), ("data", 1), *members]
    order.shuffle(members)
    texts = [f"{json.dumps(name)}: {json.dumps(v, indent=indent, ensure_ascii=in_ascii)}" for name, v in members]
    scanned(f"{{{','.join(texts)}}}".encode())


ODD = st.text('0123456789+-.eE"\\{}[]:,tfnrulasNI /\t\n\r\0\x1f\x7f\xe9', max_size=12)


@given(common_publishes(ODD | containers(ODD)))
def test_data_of_stray_characters_is_never_misread(raw: bytes) -> None:
    scanned(raw)


EXAMPLES = [
    b'{"type":"publish","topic":"agents.7.status","data":{"state":"busy","load":[0.25,-1.5e+10,0],"ok":true},"id":42}',
    b' { "id" : "r-1" , "data" : [ [ ] , { } , null , "\\"\\\\\\n" ] , "topic" : "a" , "type" : "publish" } \t',
    '{"topic":"ünïcode.漢字","data":"😀 é and more, well over eight bytes","type":"publish","id":"é"}'.encode(),
    b'{"type":"publish","topic":"t","data":{"a":{"b":[[[1],2],3]},"c":false},"id":"b"}',
    b'{"type":"publish","topic":"t","data":1,"id":7,"key":"0f3a:17"}',
]
PIECES = [
    *[bytes((code,)) for code in b'"\\{}[]:,0123456789+-.eEtfnu \t\r\n/b\0\x1f\x7f'],
    *[b'"type"', b'"topic"', b'"data"', b'"id"', b'"publish"', b'"b:1"', b'"key":"k",', b'"from":"a",', b'"data":2,'],
    *[b"01", b"1.", b".5", b"1e", b"-0", b"+1", b"1E5", b"1e999", b"NaN", b"Infinity", b"null", b"\\u0041", b"\\ud800"],
    *[b"9" * 18, b"9" * 400, b"[" * 130, b"]" * 130, b'{"":' * 130, b"\xc3\xa9", b"\xef\xbb\xbf", b" " * 9],
]


def mutated(raw: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(raw) + 1)
    to = min(len(raw), at + dice.choice((0, 1, 1, 2, 5, 20)))
    match dice.randrange(5):
        case 0:
            return raw[:at] + dice.choice(PIECES) + raw[at:]
        case 1:
            return raw[:at] + dice.choice(PIECES) + raw[to:]
        case 2:
            return raw[:at] + raw[to:]
        case 3:
            return raw[:to] + raw[at:]
        case _:
            return raw[:at]


@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_mutations_are_never_misread(seed: int) -> None:
    dice = random.Random(seed)
    verdicts = set()
    for _ in range(3_000):
        raw = dice.choice(EXAMPLES)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            raw = mutated(raw, dice)
        with suppress(UnicodeDecodeError):  # this a transport refuses before
            raw.decode()
            verdicts.add(scanned(raw) is not None)
    assert verdicts == {False, IS_COMPILED}


@pytest.mark.parametrize("raw", EXAMPLES)
def test_every_byte_at_every_place_is_never_misread(raw: bytes) -> None:
    assert recognised(raw)
    for at in range(len(raw.rstrip())):
        assert left_alone(raw[:at])
        for code in range(128):
            with suppress(UnicodeDecodeError):
                changed = raw[:at] + bytes((code,)) + raw[at + 1 :]
                changed.decode()
                scanned(changed)


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-0",
        "7",
        "-12.5",
        "0.0e-00",
        "1E5",
        "1e+99",
        "9" * 17,
        "0." + "1" * 17,
        "-" + "9" * 17 + "." + "9" * 17 + "e99",
    ],
)
def test_a_number_of_some_digits_is_recognised(number: str) -> None:
    assert recognised(with_data(number))
    assert recognised(with_data(f"[{number},{number}]"))


@pytest.mark.parametrize(
    "number",
    [
        *[
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "-",
            "--1",
            "+1",
            "1e999",
            "1e100",
            "1e1e1",
            "0x1",
            "1_0",
            "0e1.0",
            "0.1.2",
        ],
        *["NaN", "-Infinity", "1" * 18, "0." + "1" * 18, "1" * 400, "True", "nul", "nulll", "tru", "falsee", "", "'a'"],
    ],
)
def test_a_value_that_is_wrong_or_long_is_left_to_the_codec(number: str) -> None:
    assert left_alone(with_data(number))
    assert left_alone(with_data(f"[{number},1]"))
    assert left_alone(with_data(f'{{"a":{number}}}'))


@pytest.mark.parametrize("code", [*range(0x20), 0x22, 0x5C])
def test_a_string_with_a_character_that_must_be_escaped_is_left_to_the_codec(code: int) -> None:
    for ahead in range(20):
        text = "x" * ahead + chr(code) + "y" * 20
        assert left_alone(with_data(f'"{text}"'))
        assert left_alone(with_data(f'{{"{text}":1}}'))
        assert left_alone(f'{{"type":"publish","topic":"{text}","data":1}}'.encode())
        assert left_alone(with_id(f'"{text}"'))
        assert left_alone(with_key(f'"{text}"'))


@pytest.mark.parametrize("escape", ["\\u0041", "\\ud800", "\\x", "\\0", "\\"])
def test_an_escape_that_is_not_simple_is_left_to_the_codec(escape: str) -> None:
    for ahead in range(20):
        text = "é" * ahead + escape
        assert left_alone(with_data(f'"{text}"'))
        assert left_alone(with_data(f'["{text}"]'))


@pytest.mark.parametrize("written", ["sent\\n", "\\/", "a\\tb", '\\"', "\\\\"])
def test_an_escape_in_a_topic_or_an_id_is_left_to_the_codec(written: str) -> None:
    assert left_alone(f'{{"type":"publish","topic":"{written}","data":1}}'.encode())
    assert left_alone(with_id(f'"{written}"'))
    assert left_alone(with_key(f'"{written}"'))


@pytest.mark.parametrize("written", ['"k"', '"0f3a:17"', '"b:1"', '"é漢😀"', f'"{"k" * 5000}"'])
def test_a_key_of_plain_characters_is_recognised(written: str) -> None:
    assert recognised(with_key(written))


@pytest.mark.parametrize(
    "written", ["", '""', '"', '"k', "k", "7", "null", "true", "[]", "{}", '"k" "l"', '"k","key":"k"']
)
def test_any_other_key_is_left_to_the_codec(written: str) -> None:
    assert left_alone(with_key(written))


@pytest.mark.parametrize(
    "written", ["0", "9" * 15, '"x"', '"' + "x" * 64 + '"', '"' + "é" * 32 + '"', '"B:"', '"b"', '"ab:"']
)
def test_an_id_that_fits_is_recognised(written: str) -> None:
    assert recognised(with_id(written))


@pytest.mark.parametrize(
    "written",
    [
        *["", "-1", "-0", "01", "1.0", "1e2", "+1", "1 2", "9" * 16, "null", "true", "[1]", "{}"],
        *['""', '"x', '"' + "x" * 65 + '"', '"' + "é" * 33 + '"', '"b:"', '"b:1"'],
    ],
)
def test_any_other_id_is_left_to_the_codec(written: str) -> None:
    assert left_alone(with_id(written))


@pytest.mark.parametrize("path", ["a" * 100, "o" * 100, "ao" * 50, "aoo" * 33])
def test_nesting_is_followed_a_hundred_levels_deep(path: str) -> None:
    assert recognised(with_data(nested("1", path)))
    assert recognised(with_data(nested("[]", path[:99])))
    assert left_alone(with_data(nested("1", "o" + path + "a")))
    assert left_alone(with_data(nested("{}", "a" + path)))
    assert left_alone(with_data(nested("1", path * MAX_DEPTH)))


@pytest.mark.parametrize("closers", ["]]", "}}", "]", "]}]", "", "]},", "],}"])
def test_brackets_that_do_not_match_are_left_to_the_codec(closers: str) -> None:
    assert recognised(with_data('[{"a":1}]'))
    assert left_alone(with_data('[{"a":1' + closers))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b'{"type":"publish","topic":"t"}',
        b'{"type":"publish","data":1}',
        b'{"topic":"t","data":1}',
        b'{"type":"publish","topic":"t","data":1,}',
        b'{,"type":"publish","topic":"t","data":1}',
        b'{"type":"publish" "topic":"t","data":1}',
        b'{"type":"publish","topic":"t","data" 1}',
        b'{"type":"publish","topic":"t","data":1}x',
        b'{"type":"publish","topic":"t","data":1}\0',
        b'{"type":"publish","topic":"t","data":1}\n',
        b'{"type":"publish","topic":"t",\r\n"data":1}',
        b'{"type":"publish","topic":"t","data":[1,\n2]}',
        b'{"type":"publish","topic":"t","data":1,"data":1}',
        b'{"type":"publish","type":"publish","topic":"t","data":1}',
        b'{"type":"publish","topic":"t","data":1,"keys":"k"}',
        b'{"type":"publish","topic":"t","data":1,"key"}',
        b'{"type":"publish","topic":"t","data":1,"from":null}',
        b'{"type":"publish","topic":"t","data":1,"unknown":1}',
        b'{"type":"publisher","topic":"t","data":1}',
        b'{"type":"reply","id":1,"topic":"t","data":1}',
        b'{"type":"publish","topic":7,"data":1}',
        b'{"typ\\u0065":"publish","topic":"t","data":1}',
        b'\xef\xbb\xbf{"type":"publish","topic":"t","data":1}',
        b'{"type":"publish","topic":"\xff","data":1}',
    ],
)
def test_whatever_is_not_a_common_publish_is_left_to_the_codec(raw: bytes) -> None:
    assert left_alone(raw)


def nested(value: str, path: str) -> str:
    """The value inside arrays and objects, one for each letter."""
    for kind in reversed(path):
        value = f'["]",{value}]' if kind == "a" else f'{{"\\"{{":{value}}}'
    return value


# ---- Events

INT64 = st.integers(-(2**63), 2**63 - 1)
PARTS = st.binary(max_size=40)


@both
@given(PARTS, st.none() | INT64, INT64, PARTS, PARTS, st.booleans())
@example(b"", 2**63 - 1, -(2**63), b"", b"", True)
@example(b"", 0, 0, b"", b"", False)
def test_an_event_is_its_parts_in_order(
    module: Any, head: bytes, seq: int | None, ts: int, origin: bytes, data: bytes, clear: bool
) -> None:
    place = b"" if seq is None else b'"seq":' + str(seq).encode() + b","
    mark = b'"clear":true,' if clear else b""
    expected = head + place + b'"ts":' + str(ts).encode() + b"," + origin + mark + b'"data":' + data + b"}"
    assert module.encode_event(head, seq, ts, origin, data, clear) == expected
    assert module.encode_event(head, seq, ts, origin, data, clear=clear) == expected


@both
def test_an_event_is_not_cleared_if_nobody_says_so(module: Any) -> None:
    written = module.encode_event(event_head("t"), 1, 2, b"", b"null")
    event = decode_from_broker(written)
    assert isinstance(event, Event)
    assert (event.seq, event.ts, event.clear) == (1, 2, False)


# ---- Frames


@both
@given(st.binary(max_size=300), st.data())
def test_a_payload_is_unmasked_by_the_four_bytes_before_it(module: Any, data: bytes, draw: st.DataObject) -> None:
    data = bytes(4) + data
    start = draw.draw(st.integers(4, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    key = data[start - 4 : start]
    expected = bytes(code ^ key[at % 4] for at, code in enumerate(data[start:stop]))
    assert module.unmask(data, start, stop) == expected


@both
@pytest.mark.parametrize(("start", "stop"), [(3, 8), (-1, 8), (4, 13), (9, 8), (13, 13), (4, -1), (5, 4)])
def test_a_payload_that_is_not_all_there_cannot_be_unmasked(module: Any, start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="Expected 4 <= start <= stop <= 12"):
        module.unmask(bytes(12), start, stop)


def decodes(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@both
@given(
    st.lists(
        st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=4), max_size=6
    ).map(b"".join),
    st.integers(0, 3),
)
def test_text_is_what_decodes(module: Any, payload: bytes, cut: int) -> None:
    assert module.is_text(payload[cut:]) == decodes(payload[cut:])
    assert module.is_text(payload[: len(payload) - cut]) == decodes(payload[: len(payload) - cut])


def edges() -> Iterator[bytes]:
    """Every beginning of a character, with what may follow at and beside its limits."""
    followers = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for first in range(0x80, 0x100):
        yield bytes((first,))
        for second in followers:
            yield bytes((first, second))
            for third in followers:
                yield bytes((first, second, third))
                for fourth in (0x00, 0x7F, 0x80, 0xBF, 0xC0):
                    yield bytes((first, second, third, fourth))


@both
@pytest.mark.parametrize(("before", "behind"), [(b"", b""), (b"x" * 7, b"y"), (b"x" * 40, b"y" * 40)])
def test_a_character_is_text_exactly_if_it_decodes(module: Any, before: bytes, behind: bytes) -> None:
    wrong = [edge for edge in edges() if module.is_text(before + edge + behind) != decodes(before + edge + behind)]
    assert wrong == []


@both
@given(st.lists(st.binary(max_size=200), max_size=6))
@example([bytes(size) for size in (0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000)])
@example([bytes(125)])
@example([bytes(126)])
@example([bytes(65_536)])
def test_joined_frames_are_whole_texts_without_a_mask(module: Any, payloads: list[bytes]) -> None:
    expected = b"".join(Frame(Opcode.TEXT, payload).serialize(mask=False) for payload in payloads)
    assert module.join_frames(payloads) == expected


@both
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6))
@example([bytes(70_000)])
def test_joined_frames_of_a_stream_are_those_of_the_framing(module: Any, payloads: list[bytes]) -> None:
    assert module.join_prefixed(payloads) == b"".join(map(encode_frame, payloads))


FRAMES = st.one_of(
    st.text(min_size=1).map(lambda text: encode_frame(text.encode())),
    st.binary(min_size=1, max_size=20).map(encode_frame),
    st.sampled_from([bytes(4), b"\xff" * 4, b"\0\0\0", encode_frame("ü".encode())[:-1], encode_frame(b"\xc3"), b""]),
)


@both
@given(st.lists(FRAMES, max_size=6), st.integers(0, 40), st.integers(0, 5), st.integers(0, 4))
@example([encode_frame(b"\xc3"), b"\xbc"], 40, 5, 0)
@example([encode_frame(b"abcdefg\xe2\x82"), b"\xac" * 9], 40, 5, 0)
def test_frames_in_order_are_cut_as_the_framing_has_them(
    module: Any, frames: list[bytes], limit: int, most: int, start: int
) -> None:
    data = b"x" * start + b"".join(frames)
    payloads, stop = module.cut_frames(data, start, limit, most)
    assert data[start:stop] == b"".join(map(encode_frame, payloads))
    decoder = StreamDecoder(limit)
    decoder.feed(PREFACE)
    expected: Any = None
    try:
        expected = decoder.feed(data[start:])
    except SwarmwireError as error:
        expected = error.details
    assert payloads == expected[:most]


PUBLISHES = st.one_of(
    st.builds(
        lambda topic, data, more: f'{{"type":"publish","topic":"{topic}","data":{data}{more}}}',
        st.sampled_from(["a", "a.b", "a.c", "ü.b", ""]),
        st.sampled_from(["1", '"x"', '{"a":[true,null]}', "01", '"ü"']),
        st.sampled_from(["", ',"id":7', ',"id":"seven"', ',"id":"b:1"', ',"key":"k"', ',"key":""', ',"echo":false']),
    ),
    st.text(min_size=1),
)


@both
@given(st.lists(PUBLISHES, max_size=8), st.integers(0, 9))
def test_frames_are_scanned_as_each_would_be_by_itself(module: Any, texts: list[str], most: int) -> None:
    payloads = [text.encode() for text in texts]
    data = b"".join(map(encode_frame, payloads))
    found, stop = module.cut_frames(data, 0, 1000, most, True)
    plain = [module.scan_publish(payload) for payload in payloads]
    each = [payload if one is None else (len(payload), *one) for payload, one in zip(payloads, plain, strict=True)]
    assert found == each[:most]
    assert stop == sum(4 + len(payload) for payload in payloads[:most])


@both
def test_frames_cannot_be_cut_before_the_beginning(module: Any) -> None:
    with pytest.raises(ValueError, match="Expected start >= 0, got -1"):
        module.cut_frames(bytes(9), -1, 5, 5)
    assert module.cut_frames(bytes(9), 12, 5, 5) == ([], 12)


@both
@pytest.mark.parametrize("name", ["join_frames", "join_prefixed"])
def test_only_bytes_can_be_joined(module: Any, name: str) -> None:
    with pytest.raises(TypeError):
        getattr(module, name)([b"a", "b"])
