"""Keys, values and revisions, beside a dict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Put, Stored
from swarmwire_broker.engines.state import State
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

NAMES = st.sampled_from(["a", "a.b", "b", ""])
PUTS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3), st.none() | st.integers(-3, 0)), max_size=4)


@given(st.lists(PUTS, max_size=12), st.sampled_from(["", "a", "a.", "x"]))
def test_a_step_is_done_whole_or_not_at_all(
    steps: list[list[tuple[str, bytes | None, int | None]]], prefix: str
) -> None:
    state = State()
    model: dict[str, Stored] = {}
    for step in steps:
        # An expectation counts back from the newest revision, so that it is met about as often as not.
        puts = [Put(key, value, None if back is None else max(0, state.revision + back)) for key, value, back in step]
        met = all(put.expected in (None, model[put.key].revision if put.key in model else 0) for put in puts)
        before = state.revision
        if met:
            state.check(puts)
            assert state.apply(puts) == state.revision == before + bool(puts)
            for put in puts:
                model.pop(put.key, None)
                if put.value is not None:
                    model[put.key] = Stored(put.value, state.revision)
        else:
            with pytest.raises(SwarmwireError) as caught:
                state.check(puts)
            assert caught.value.code is ErrorCode.CONFLICT
            assert state.revision == before
        assert all(state.get(key) == model.get(key) for key in ("a", "a.b", "b", ""))
    assert state.scan(prefix) == sorted(item for item in model.items() if item[0].startswith(prefix))


def test_a_restored_state_goes_on_from_its_revision() -> None:
    state = State()
    state.restore({"a": Stored(b"1", 3), "b": Stored(b"2", 7)}, 9)
    assert (len(state), dict(state.items())) == (2, {"a": Stored(b"1", 3), "b": Stored(b"2", 7)})
    state.check([Put("a", b"", 3), Put("c", b"", 0)])
    assert state.apply([Put("a", b"3")]) == 10


def test_a_conflict_names_the_key_and_both_revisions() -> None:
    state = State()
    state.apply([Put("a", b"1")])
    with pytest.raises(SwarmwireError, match="Expected a at revision 7; it is at 1"):
        state.check([Put("a", b"2", 7)])


def test_a_key_made_anew_never_has_a_revision_it_had() -> None:
    state = State()
    first = state.apply([Put("a", b"1")])
    state.apply([Put("a", None)])
    assert state.apply([Put("a", b"1")]) > first
