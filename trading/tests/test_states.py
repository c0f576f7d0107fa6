"""The broker's words move forward only, whatever order events come in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.states import (
    BROKER_MOVES,
    CORRECTED_MOVES,
    ENDED,
    FILLED,
    KNOWN,
    PROPOSAL_MOVES,
    TERMINAL,
    ProposalState,
    is_open,
    may_be_corrected,
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


class TestACorrectedFill:
    """The one thing by which an order that is over may live again."""

    def test_has_a_row_for_every_word_and_leads_to_known_ones(self):
        assert set(CORRECTED_MOVES) == KNOWN | {""}
        assert frozenset().union(*CORRECTED_MOVES.values()) <= KNOWN

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("filled", "partially_filled"),
            ("filled", "canceled"),
            ("filled", "new"),
            ("canceled", "partially_filled"),
            ("expired", "filled"),
            ("partially_filled", "new"),
            ("filled", "SOMETHING_NEW"),
            ("SOMETHING_NEW", "new"),
        ],
    )
    def test_may_turn_back_what_was_filled(self, before, after):
        assert may_be_corrected(before, after)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("rejected", "filled"),
            ("rejected", "SOMETHING_NEW"),
            ("filled", "rejected"),
            ("filled", "pending_new"),
            ("new", "accepted"),
            ("filled", "filled"),
        ],
    )
    def test_never_makes_an_order_that_had_none(self, before, after):
        assert not may_be_corrected(before, after)


class TestRefusedChanges:
    """The broker would not cancel or replace: the order is what it was."""

    @pytest.mark.parametrize("asked", ["pending_cancel", "pending_replace"])
    @pytest.mark.parametrize("was", ["new", "partially_filled", "held", "stopped", "suspended"])
    def test_lead_back(self, asked, was):
        assert may_become(asked, was)

    @pytest.mark.parametrize("asked", ["pending_cancel", "pending_replace"])
    @pytest.mark.parametrize("early", ["accepted", "pending_new", "accepted_for_bidding"])
    def test_never_to_before_it_was_taken(self, asked, early):
        assert not may_become(asked, early)

    def test_an_exit_works_once_its_entry_is_filled(self):
        assert may_become("held", "new")
        assert not may_become("new", "held")


class TestAnySequence:
    @given(st.lists(words, max_size=12))
    def test_with_a_fill_in_it_ends_filled(self, told):
        current = ""
        for word in [*told, FILLED, *told]:
            current = word if may_become(current, word) else current

        assert current == FILLED
        assert not is_open(current)

    @given(st.lists(words, max_size=12), words)
    def test_a_word_that_is_taken_is_not_taken_twice(self, told, last):
        current = ""
        for word in [*told, last]:
            current = word if may_become(current, word) else current

        assert not may_become(current, current)
        assert current in KNOWN

    @given(st.lists(words, min_size=1, max_size=12))
    def test_that_has_ended_only_a_fill_or_a_correction_changes(self, told):
        current = "canceled"
        for word in told:
            if may_become(current, word):
                assert word == FILLED
                current = word

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
