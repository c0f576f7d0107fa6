"""What reaches a screen from a model's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.output import Cleaner, clean

HOSTILE = [
    "![x](https://evil.example/?cash=12)",
    "![two words](https://evil.example/a)",
    "[tap here](//evil.example/a)",
    "[a]: //evil.example/b",
    "see https://evil.example/q?d=1 now",
    "www.evil.example/x",
    "<img src=https://evil.example/x>",
    "<img src=//evil.example>",
    "javascript:alert(1)",
    "data:text/html;base64,AAAA",
    "mailto:thief@evil.example",
    "ht\u200btps://evil.example/zero-width",
    "\u202ehttps://evil.example/reversed",
    "ht\u2028tp://evil.example/line",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_left_that_a_screen_could_follow_or_load(text: str) -> None:
    shown = clean(text)

    assert "evil" not in shown
    assert "javascript:" not in shown
    assert "base64" not in shown


def test_plain_words_and_figures_stay_as_they_are() -> None:
    text = "You own 3.5 shares of AAPL, worth $664.55 (+1.2%).\n\n- cash: $100.00\n- 3 < 4 – done"

    assert clean(text) == text


def test_the_words_of_a_link_stay_without_its_target() -> None:
    assert clean("[our page](https://evil.example/a) says") == "our page says"


def test_invisible_and_reordering_characters_are_dropped() -> None:
    assert clean("B\u202eU\u200bY\U000e0041 \u0007now") == "BUY now"


@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE)), max_size=12))
def test_a_text_cleaned_in_pieces_equals_the_text_cleaned_whole(pieces: list[str]) -> None:
    cleaner = Cleaner()

    shown = "".join(cleaner.feed(piece) for piece in pieces) + cleaner.flush()

    assert shown == clean("".join(pieces))
