from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.ids import new_id
from ledger import services
from ledger.services import comparing, noticing
from ledger.tests.factories import (
    book_of,
    cash_of,
    compare,
    drifts_of,
    movement,
    pass_time,
    post,
    same_time,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _same_time():
    yield
    same_time()


class TestClosing:
    def test_cash_is_the_same_before_and_after(self, account, at_broker):
        at_broker("CSD", "100.00")
        with acting_as(SYSTEM):
            services.hold(
                account_id=account.pk,
                user_id=account.user_id,
                reference=new_id(),
                amount=Decimal(30),
                at=datetime.now(UTC),
            )
        compare(account)
        before = cash_of(account)
        pass_time(86_401)
        compare(account)

        book = book_of(account)
        assert (book.closed_available, book.closed_held) == (70, 30)
        assert cash_of(account) == replace(before, as_of=book.agreed_at)

        at_broker("DIV", "1.00")
        compare(account)

        assert (cash_of(account).total, cash_of(account).held) == (101, 30)

    def test_what_differs_still_shows_after_it(self, account, books, at_broker):
        at_broker("CSD", "100.00")
        compare(account)
        pass_time(86_401)
        compare(account)
        books.cash[account.broker_account_id] -= 1

        assert compare(account).difference == -1

    def test_what_lacks_a_witness_is_looked_at_until_it_has_it(self, account, at_broker):
        compare(account)
        at_broker("CSD", "5.00")
        compare(account)
        for _ in range(2):
            pass_time(86_401)
            compare(account)
        assert [drift.kind for drift in drifts_of(account)] == ["NOT_OURS"]

        post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))
        compare(account)

        assert [drift.state for drift in drifts_of(account)] == ["HEALED"]

    def test_a_long_past_is_closed_in_steps(self, account, at_broker, monkeypatch):
        monkeypatch.setattr(comparing, "_CLOSED_AT_ONCE", 2)
        for _ in range(5):
            at_broker("CSD", "1.00")
        compare(account)
        pass_time(86_401)
        sums = []
        for _ in range(3):
            at = datetime.now(UTC)
            services.compare_account(account_id=account.pk, at=at)
            book = book_of(account)
            sums.append((book.closed_available, book.due_at < at + timedelta(minutes=1)))

        # The last step is so small that it waits until an hour has passed.
        assert sums == [(2, True), (4, True), (4, False)]
        assert cash_of(account).total == 5

    def test_is_done_once_an_hour(self, account, at_broker):
        at_broker("CSD", "1.00")
        compare(account)
        closed = []
        for seconds in (86_401, 3_590, 20):
            pass_time(seconds)
            compare(account)
            closed.append(book_of(account).closed_until)

        assert closed[0] == closed[1] < closed[2]

    def test_is_put_off_while_there_is_too_much_to_look_at(
        self, account, books, at_broker, monkeypatch
    ):
        monkeypatch.setattr(noticing, "MOST_AT_ONCE", 2)
        compare(account)
        for _ in range(3):
            at_broker("CSD", "5.00")
        compare(account)
        pass_time(86_401)
        before = book_of(account).closed_until
        compare(account)
        assert (len(drifts_of(account)), book_of(account).closed_until) == (2, before)

        post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))
        compare(account)
        compare(account)

        assert sorted(drift.state for drift in drifts_of(account)) == [
            "HEALED",
            "SUSPECTED",
            "SUSPECTED",
        ]
        assert book_of(account).closed_until > before


class TestSilence:
    def test_a_transfer_that_the_broker_never_books_is_noticed_after_a_day(self, account, books):
        compare(account)
        post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))
        books.cash[account.broker_account_id] += 5
        compare(account)

        assert drifts_of(account) == []

        pass_time(86_401)
        compare(account)
        [drift] = drifts_of(account)

        assert (drift.kind, drift.difference) == ("NOT_AT_BROKER", -5)
        assert drift.evidence == {"amount": "5.00", "told_by": ["TRANSFER"]}

        books.cash[account.broker_account_id] -= 5
        books.book(account.broker_account_id, "CSD", "5.00")
        compare(account, after=61)

        assert [drift.state for drift in drifts_of(account)] == ["HEALED"]

    def test_what_only_the_broker_knows_is_noticed_after_a_day(self, account, at_broker):
        compare(account)
        at_broker("CSD", "5.00")
        at_broker("DIV", "1.00")
        at_broker("FILL", "-2.00", broker_order_id="order", cumulative=Decimal(1))
        compare(account)
        pass_time(86_401)
        compare(account)

        assert [(drift.kind, drift.difference) for drift in drifts_of(account)] == [
            ("NOT_OURS", 0),
            ("NOT_OURS", 0),
        ]

    def test_of_the_past_only_the_broker_must_tell(self, account, at_broker):
        at_broker("CSD", "5.00")
        compare(account)
        pass_time(86_401)
        compare(account)

        assert drifts_of(account) == []

    def test_what_was_taken_back_needs_nobody(self, account, books):
        compare(account)
        entry = post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))
        with acting_as(SYSTEM):
            services.reverse(
                entry_id=entry.pk, told_by="OPERATOR", external_id="x", at=datetime.now(UTC)
            )
        pass_time(86_401)
        compare(account)

        assert drifts_of(account) == []
