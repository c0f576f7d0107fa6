from collections import Counter
from random import Random

import pytest

from trading import risk
from trading.tests import random_orders, rules_model

SEED = 20261126


def compare(count, *, seed):
    """Judge so many random orders twice; count the verdicts, and keep what differs."""
    random, seen, different = Random(seed), Counter(), []
    for number in range(count):
        ticket, facts = random_orders.random_case(random)
        ours, model = risk.judge(ticket, facts), rules_model.expected(ticket, facts)
        seen[ours.rule] += 1
        if (ours.rule, ours.is_allowed) != (model, not model):
            different.append((number, ours.rule, model, ticket, facts))
    return seen, different


def check(count, *, seed):
    seen, different = compare(count, seed=seed)

    assert different[:1] == [], f"{len(different)} of {count} differ"
    assert sum(seen.values()) == count
    # Nothing is proved by rules that no order has met.
    assert set(seen) == rules_model.RULES | {""}
    assert count * 0.1 < seen[""] < count * 0.9


class TestTheRules:
    def test_are_those_of_the_model_for_8_000_random_orders(self):
        check(8_000, seed=SEED)

    @pytest.mark.proof
    @pytest.mark.parametrize("seed", range(5))
    def test_are_those_of_the_model_for_50_000_random_orders(self, seed):
        check(50_000, seed=seed)
