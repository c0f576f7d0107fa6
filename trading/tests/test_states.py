"""The broker's words move forward only, whatever order events come in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.states import (
    BROKER_MOVES,
    ENDED,
    FILLED,
    KNOWN,
    PROPOSAL_MOVES,
    TERMINAL,
    ProposalState,
    is_open,
    may_become,
)

words = st.sampled_from(sorted(KNOWN))


class TestTheTable:
    def test_has_a_row_for_every_word_and_leads_to_known_ones(self):
        assert set(BROKER_MOVES) == KNOWN | {""}
        assert frozenset().union(*BROKER_MOVES.values()) <= KNOWN

    def test_filled_is_the_last_word(self):
        assert BROKER_MOVES[FILLED] == frozenset()

    def test_what_has_ended_may_only_turn_out_to_be_filled(self):
        assert {BROKER_MOVES[word] for word in ENDED} == {frozenset({FILLED})}

    def test_every_live_word_can_reach_every_end(self):
        assert all(BROKER_MOVES[word] >= TERMINAL for word in KNOWN - TERMINAL)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("new", "pending_new"),
            ("partially_filled", "new"),
            ("filled", "canceled"),
            ("filled", "SOMETHING_NEW"),
            ("canceled", "new"),
            ("canceled", "SOMETHING_NEW"),
            ("canceled", "canceled"),
        ],
    )
    def test_no_word_falls_back(self, before, after):
        assert not may_become(before, after)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", "filled"),
            ("pending_cancel", "new"),
            ("canceled", "filled"),
            ("new", "SOMETHING_NEW"),
            ("SOMETHING_NEW", "filled"),
        ],
    )
    def test_news_is_taken(self, before, after):
        assert may_become(before, after)


class TestAnySequence:
    @given(st.lists(words, max_size=12))
    def test_with_a_fill_in_it_ends_filled(self, told):
        current = ""
        for word in [*told, FILLED, *told]:
            current = word if may_become(current, word) else current

        assert current == FILLED
        assert not is_open(current)

    def test_of_an_ordinary_life_ends_the_same_in_any_order(self):
        ends = set()
        for told in itertools.permutations(["pending_new", "new", "partially_filled", "filled"]):
            current = ""
            for word in told:
                current = word if may_become(current, word) else current
            ends.add(current)

        assert ends == {"filled"}


def test_a_proposal_is_decided_once():
    assert PROPOSAL_MOVES[ProposalState.PENDING] == set(ProposalState) - {ProposalState.PENDING}
    assert {PROPOSAL_MOVES[state] for state in set(ProposalState) - {ProposalState.PENDING}} == {
        frozenset()
    }
