"""Events and comment lines come out of a stream as the vendor meant them."""

import itertools
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.feeds import DataLost, VendorEvent
from core.vendors.alpaca import _read, _rewound
from core.vendors.sse import MAX_EVENT_CHARS, Comment, Message, lines, parse


@given(
    text=st.text(st.sampled_from("a:é\u2028\x85\x0b\r\n"), max_size=40),
    cuts=st.lists(st.integers(min_value=0, max_value=80), max_size=12),
)
def test_lines_end_at_cr_lf_or_both_however_the_stream_is_cut(text, cuts):
    data = text.encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(places)]

    assert list(lines(chunks)) == re.split("\r\n|\r|\n", text)[:-1]


def test_a_line_is_told_as_soon_as_it_has_ended():
    stream = lines(iter([b"data: 1\r", b"", b"\ndata: 2\n"]))

    assert next(stream) == "data: 1"
    assert list(stream) == ["data: 2"]


def test_bytes_that_are_no_text_spoil_only_their_own_line():
    assert list(lines([b"data: \xff\n", b"data: ok\n"])) == ["data: \ufffd", "data: ok"]


def test_a_line_without_end_is_not_kept_in_memory():
    data = (b"data: ", *[b"x" * 65_536] * 100, b"\n\ndata: ok\n\n")

    tracemalloc.start()
    found = list(parse(lines(data)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == [Comment("dropped 1 message: too large"), Message("", "ok")]
    assert peak < 6 * MAX_EVENT_CHARS


def test_reads_ids_data_and_comments():
    lines = [": heartbeat", "", "id: 01", "event: message", "data: {", "data: }", "", "data:x", ""]

    assert list(parse(lines)) == [Comment("heartbeat"), Message("01", "{\n}"), Message("", "x")]


def test_a_frame_cut_off_is_not_an_event():
    assert list(parse(["id: 01", "data: {}"])) == []


def test_lost_data_is_reported_where_the_vendor_says_so():
    line = ": you are reading too slowly, dropped 7 messages"

    assert list(parse([line])) == [Comment("you are reading too slowly, dropped 7 messages")]


def test_a_giant_event_is_dropped_and_said_so():
    lines = ["data: " + "x" * (MAX_EVENT_CHARS + 1), "", "data: ok", ""]

    assert list(parse(lines)) == [Comment("dropped 1 message: too large"), Message("", "ok")]


def test_a_cursor_is_rewound_by_five_minutes():
    assert _rewound("01KE6Z3M5Q0000000000000001") == "01KE6YTF6Q0000000000000000"
    assert _rewound("0000000001ZZZZZZZZZZZZZZZZ") == "0" * 26


ULID = "01KE6Z3M5Q0000000000000001"


def test_an_event_keeps_its_numbers_as_text():
    message = Message("", f'{{"event_ulid": "{ULID}", "qty": 1.10}}')

    assert _read(message) == VendorEvent(ULID, {"event_ulid": ULID, "qty": "1.10"})


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "[]",
        "[" * 100_000,
        f'{{"event_ulid": "{ULID}", "reason": "\\u0000"}}',
        f'{{"event_ulid": "{ULID}", "reason": "\\ud800"}}',
        f'{{"event_ulid": "{ULID}", "qty": NaN}}',
        '{"event_id": 7}',
        '{"event_ulid": "not-a-cursor"}',
        f'{{"event_ulid": "{ULID}{ULID}{ULID}"}}',
    ],
)
def test_what_neither_inbox_nor_cursor_can_hold_is_lost_and_said_so(data):
    lost = _read(Message("", data))

    assert isinstance(lost, DataLost)
    assert not lost.can_be_replayed


def test_what_the_vendor_dropped_can_be_heard_again():
    dropped = Comment("you are reading too slowly, dropped 7 messages")

    assert _read(dropped) == DataLost(dropped.text, can_be_replayed=True)
    assert _read(Comment("heartbeat")) is None
