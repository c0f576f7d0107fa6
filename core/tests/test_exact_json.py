"""JSON: strict in, exact out."""

import contextlib
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import exact_json
from core.exact_json import NotStrictJson
from core.money import Money, Price, Quantity

REFUSED = {
    "bad UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "raw surrogate": b'{"a":"\xed\xa0\x80"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "lone surrogate in a key": b'{"\\udfff":1}',
    "lone surrogate in a list": b'{"a":[["\\ud83d x"]]}',
    "NUL": b'{"a":"x\\u0000y"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity": b'{"a":-Infinity}',
    "huge exponent": b'{"a":1e400}',
    "tiny exponent": b'{"a":1e-400}',
    "zero with a huge exponent": b'{"a":0e999999}',
    "many digits": b'{"a":' + b"9" * 5000 + b"}",
    "many decimals": b'{"a":0.' + b"1" * 5000 + b"}",
    "underscore": b'{"a":1_0}',
    "plus": b'{"a":+1}',
    "leading zero": b'{"a":01}',
    "trailing comma": b'{"a":1,}',
    "two values": b'{"a":1}{}',
    "nothing": b"",
    "single quotes": b"{'a':1}",
}


class TestLoads:
    @pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
    def test_refuses(self, body):
        with pytest.raises(NotStrictJson):
            exact_json.loads(body)

    def test_names_the_key_that_appears_twice(self):
        with pytest.raises(NotStrictJson, match="“amount” appears twice"):
            exact_json.loads(b'{"x":{"amount":1,"amount":2}}')

    def test_does_not_repeat_an_unreadable_key(self):
        with pytest.raises(NotStrictJson, match=r"\(unreadable\) appears twice"):
            exact_json.loads('{"\u202ea":1,"\u202ea":2}')

    def test_reads_fractions_as_decimals_with_their_text_and_whole_numbers_as_int(self):
        value = exact_json.loads(b'{"a":100.00,"b":100,"c":1.5e1,"d":-0.10}')
        assert {k: str(v) for k, v in value.items()} == {
            "a": "100.00", "b": "100", "c": "15", "d": "-0.10",
        }  # fmt: skip
        assert isinstance(value["b"], int)

    def test_keeps_characters_outside_the_basic_plane(self):
        assert exact_json.loads(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}

    @pytest.mark.parametrize("depth", [1, 32])
    def test_accepts_nesting_up_to_the_limit(self, depth):
        exact_json.loads(b"[" * depth + b"]" * depth)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["\\"[",['])
    def test_refuses_deep_nesting_before_parsing(self, opening):
        with pytest.raises(NotStrictJson, match="nested deeper than 32"):
            exact_json.loads(opening * 100_000)

    def test_measures_what_stands_outside_of_texts(self):
        body = '{"a":["' + "{}," * 50 + '"]}'
        assert len(exact_json.loads(body, max_structure=5)["a"][0]) == 150
        with pytest.raises(NotStrictJson, match="too many parts"):
            exact_json.loads(body, max_structure=4)

    def test_does_not_count_brackets_inside_of_strings(self):
        text = '[{"\\"' * 100 + "\\\\"
        assert exact_json.loads(exact_json.dumps({"a": text})) == {"a": text}

    @pytest.mark.parametrize("body", [b'"' + b'\\"' * 120_000, b'{"a":"' + b"\\" * 240_001])
    def test_takes_linear_time_on_strings_that_never_end(self, body):
        started = time.monotonic()
        with pytest.raises(NotStrictJson):
            exact_json.loads(body)
        assert time.monotonic() - started < 10  # squared it would take minutes

    @given(st.binary(max_size=200))
    def test_never_fails_otherwise(self, body):
        with contextlib.suppress(NotStrictJson):
            exact_json.loads(body)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**30), 10**30)
            | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
            | st.decimals(allow_nan=False, allow_infinity=False, places=9,
                          min_value=-(10**15), max_value=10**15),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
            max_leaves=10,
        )
    )  # fmt: skip
    def test_reads_back_what_was_written(self, value):
        assert exact_json.loads(exact_json.dumps(value)) == value


class TestDumps:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Decimal("100.00"), "100.00"),
            (Decimal("1E+2"), "100"),
            (Decimal("0E-9"), "0.000000000"),
            (Decimal("0.1"), "0.1"),
            (Money(100), '"100.00"'),
            (Price(Decimal("1.25")), '"1.25"'),
            (Quantity(Decimal("0.5")), '"0.5"'),
            (date(2026, 1, 2), '"2026-01-02"'),
            (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05Z"'),
            (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            ("é", '"é"'),
            ([1, (2,)], "[1,[2]]"),
        ],
    )
    def test_writes(self, value, text):
        assert exact_json.dumps(value) == text

    @pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan")])
    def test_refuses_numbers_that_are_not_finite(self, value):
        with pytest.raises(ValueError, match=r"finite|compliant"):
            exact_json.dumps({"a": value})

    def test_refuses_types_it_does_not_know(self):
        with pytest.raises(TypeError, match="object cannot be written"):
            exact_json.dumps(object())
