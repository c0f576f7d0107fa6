"""What several accounts are worth together."""

import pytest

from portfolio.live.aggregate import together
from portfolio.live.records import NOT_KNOWN, Worth


def test_figures_are_added_up_and_the_percent_is_that_of_the_sums():
    one, other = Worth(130_000, 300, 23), Worth(95_000, 2000, 215, ("MSFT",))

    assert together([one, other]) == Worth(225_000, 2300, 103, ["MSFT"])


def test_what_is_not_known_of_one_is_not_known_of_the_sum():
    no_return = Worth(100, None, None)

    assert together([Worth(100, 1, 101), NOT_KNOWN]) == Worth(None, None, None, [])
    assert together([Worth(100, 1, 101), no_return]) == Worth(200, None, None, [])


@pytest.mark.parametrize(
    ("total", "day", "percent"),
    [
        (80_001, 1, 0),  # 0.00125 per cent
        (20_000 + 1, 1, 0),  # half of a hundredth goes to the even one: nothing
        (20_000 + 3, 3, 2),  # and one and a half to two
        (19_997, -3, -2),
        (0, -500, -10_000),
        (500, 500, None),
        (0, 0, 0),
        (-100, 50, None),
    ],
)
def test_the_percent_is_rounded_half_to_even_and_only_told_of_something(total, day, percent):
    assert together([Worth(total, day, 7)]).percent == percent
