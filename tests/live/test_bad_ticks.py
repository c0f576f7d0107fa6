"""A short tape with bad prices of every kind, from the leader's book to the values of accounts."""

import pytest

from benchmarks import ticks


@pytest.mark.usefixtures("no_prices")
def test_bad_prices_are_refused_each_for_its_reason_and_change_no_value():
    # So many take longer than a symbol may go unheard before its price is stale.
    outcome = ticks.run(60_000, bad_share=0.05, seed=11)

    assert outcome.faults == []
    assert outcome.rejected == outcome.injected
    assert set(outcome.injected) == {
        "band", "crossed", "halted", "jump", "not_followed", "older", "price", "time"
    }  # fmt: skip
    assert outcome.injected.total() == pytest.approx(3_000, abs=250)
