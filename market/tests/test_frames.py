from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import frames
from market.frames import Epoch, Frame, NotAFrame

U32, I64 = st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1)
MOVES = st.lists(st.tuples(U32, I64, I64, st.integers(0, 255)), max_size=50)
CLOSES = st.lists(st.tuples(U32, I64), max_size=50)


def _frame(moves, closes, **head):
    return Frame(
        numbers=np.array([m[0] for m in moves], dtype="<u4"),
        prices=np.array([m[1] for m in moves], dtype="<i8"),
        times=np.array([m[2] for m in moves], dtype="<i8"),
        flags=np.array([m[3] for m in moves], dtype="u1"),
        close_numbers=np.array([c[0] for c in closes], dtype="<u4"),
        closes=np.array([c[1] for c in closes], dtype="<i8"),
        **head,
    )


HEADS = st.fixed_dictionaries(
    {
        "epoch": st.builds(Epoch, U32, st.integers(0, 2**53)),
        "seq": st.integers(0, 2**63),
        "as_of_ns": I64,
        "sent_ms": st.integers(0, 2**53),
        "is_stale": st.booleans(),
        "is_full": st.booleans(),
        "day": st.integers(0, 2**16 - 1),
    }
)


@given(MOVES, CLOSES, HEADS)
def test_a_frame_comes_back_as_it_was(moves, closes, head):
    frame = _frame(moves, closes, **head)

    read = frames.decode(frames.encode(frame))

    assert {name: getattr(read, name) for name in head} == head
    for name in ("numbers", "prices", "times", "flags", "close_numbers", "closes"):
        assert getattr(read, name).tolist() == getattr(frame, name).tolist()


@given(st.binary(max_size=200))
def test_other_bytes_are_no_frame(data):
    with pytest.raises(NotAFrame):
        frames.decode(data)


@given(MOVES.filter(bool), st.integers(1, 20))
def test_a_frame_cut_short_or_with_something_after_it_is_refused(moves, length):
    data = frames.encode(_frame(moves, [], epoch=Epoch(1, 1), seq=1, as_of_ns=1, sent_ms=1))

    with pytest.raises(NotAFrame):
        frames.decode(data[:-length])
    with pytest.raises(NotAFrame):
        frames.decode(data + b"x" * length)


def test_the_hash_reads_as_one_full_frame():
    head = frames.encode(Frame(Epoch(3, 9), 17, as_of_ns=5, sent_ms=6, is_stale=True, day=20_500))
    fields = {
        b"head": head,
        b"fence": b"3",
        b"4": frames.row(frames.Row(1_500_000_000, 1_400_000_000, 11, flags=frames.HALTED)),
        b"900": frames.row(frames.Row(2_000_000_000, 0, 12)),
    }

    frame = frames.decode_snapshot(fields)

    assert frame is not None
    assert (frame.epoch, frame.seq, frame.is_full, frame.is_stale) == (Epoch(3, 9), 17, True, True)
    assert frame.day == 20_500
    assert frame.numbers.tolist() == [4, 900]
    assert frame.prices.tolist() == [1_500_000_000, 2_000_000_000]
    assert frame.times.tolist() == [11, 12]
    assert frame.flags.tolist() == [frames.HALTED, 0]
    assert frame.closes.tolist() == [1_400_000_000, 0]


def test_what_is_stale_can_be_left_out():
    prices, flags = [5, 6, 7], [frames.STALE | frames.HALTED, frames.DOUBTED, 0]
    one = Frame(
        *(Epoch(1, 1), 1, 0, 0),
        numbers=np.array([1, 2, 3], dtype="<u4"),
        prices=np.array(prices, dtype="<i8"),
        flags=np.array(flags, dtype="u1"),
    )

    assert frames.without_stale(one).prices.tolist() == [0, 6, 7]
    assert one.prices.tolist() == prices
    unflagged = replace(one, flags=np.zeros(0, dtype="u1"))
    assert frames.without_stale(unflagged) is unflagged


def test_an_empty_hash_is_no_frame_and_a_spoiled_one_is_refused():
    head = frames.encode(Frame(Epoch(1, 1), 1, as_of_ns=0, sent_ms=0))

    assert frames.decode_snapshot({}) is None
    for spoiled in (b"short", b"x" * 48):
        with pytest.raises(NotAFrame):
            frames.decode_snapshot({b"head": head, b"4": spoiled})
