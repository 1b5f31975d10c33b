"""Frames as a client writes them; how it reads them is seen in `test_websocket`."""

from __future__ import annotations

from collections.abc import Generator

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from swarmwire.frames import masked_texts


def parsed(data: bytes) -> list[Frame]:
    """What a server that follows the RFC reads; it takes no frame without a mask."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while reader.buffer:
        frames.append(_result(Frame.parse(reader.read_exact, mask=True)))
    return frames


def _result(parsing: Generator[None, None, Frame]) -> Frame:
    try:
        next(parsing)
    except StopIteration as stop:
        frame: Frame = stop.value
        return frame
    raise AssertionError("the frame is not all there")


@given(st.lists(st.binary(max_size=200), max_size=6))
@example([bytes(size) for size in (0, 1, 125, 126, 127, 65_535, 65_536, 70_000)])
def test_each_payload_is_a_whole_masked_text(payloads: list[bytes]) -> None:
    frames = parsed(masked_texts(payloads))
    assert [(frame.opcode, frame.fin, frame.data) for frame in frames] == [(Opcode.TEXT, True, p) for p in payloads]


def test_every_frame_has_a_mask_of_its_own() -> None:
    data = masked_texts([b"same"] * 100)
    masks = {data[at + 2 : at + 6] for at in range(0, len(data), 10)}
    assert len(masks) > 90  # by chance one of four bytes may come twice
