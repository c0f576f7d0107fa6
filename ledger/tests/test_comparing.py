from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from accounts.tests.factories import make_account
from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable
from core.ids import new_id
from ledger import services
from ledger.models import Entry, LedgerBook, Witness
from ledger.services import activities, comparing
from ledger.tests import invariants
from ledger.tests.factories import (
    book_of,
    cash_of,
    compare,
    drifts_of,
    entries_of,
    movement,
    post,
    same_time,
    told_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _same_time():
    yield
    same_time()


class TestTheFirstTime:
    def test_the_whole_past_is_taken_over_and_the_ledger_is_complete(self, account, at_broker):
        order = str(new_id())
        at_broker("CSD", "1000.00")
        at_broker("FILL", "-250.10", broker_order_id=order, cumulative=Decimal(5), symbol="AAPL")
        at_broker("DIV", "1.23", symbol="AAPL")
        at_broker("FEE", "-0.02")

        assert not cash_of(account).is_complete

        made = compare(account)

        assert (made.ours, made.theirs, made.new) == (Decimal("751.11"), Decimal("751.11"), 4)
        assert cash_of(account).is_complete
        assert [entry.kind for entry in entries_of(account)] == [
            "DEPOSIT",
            "PURCHASE",
            "DIVIDEND",
            "FEE",
        ]
        invariants.check(broker_cash={account.pk: Decimal("751.11")})

    def test_comparing_again_changes_nothing(self, account, at_broker):
        at_broker("CSD", "1000.00")
        compare(account)
        first = entries_of(account)

        assert compare(account).new == 0
        assert entries_of(account) == first

    def test_an_empty_account_is_complete_as_well(self, account, books):
        compare(account)

        assert cash_of(account).is_complete
        assert cash_of(account).total == 0

    def test_a_long_past_is_entered_in_steps(self, account, at_broker):
        for _ in range(comparing._LINES * 2 + 1):
            at_broker("INT", "0.01")

        assert compare(account).new == comparing._LINES * 2 + 1

    def test_what_we_have_told_already_gets_the_second_witness(self, account, at_broker):
        post(movement(account, "DEPOSIT", "10.00", "TRANSFER"))
        at_broker("CSD", "10.00")

        compare(account)

        [entry] = entries_of(account)
        assert told_of(entry) == ["ACTIVITY", "TRANSFER"]


class TestLines:
    @pytest.mark.parametrize(
        ("word", "cash", "kind"),
        [
            ("CSW", "-5.00", "WITHDRAWAL"),
            ("CSW", "5.00", "WITHDRAWAL_RETURN"),
            ("CSD", "-5.00", "DEPOSIT_RETURN"),
            ("JNLC", "5.00", "JOURNAL"),
            ("DIVNRA", "-5.00", "TAX"),
            ("CIL", "5.00", "CORPORATE_ACTION"),
            ("FILL", "5.00", "SALE"),
            ("SOMETHING", "5.00", "OTHER"),
        ],
    )
    def test_each_word_has_its_kind(self, account, at_broker, word, cash, kind):
        at_broker(word, cash)
        compare(account)

        assert [entry.kind for entry in entries_of(account)] == [kind]

    def test_an_unknown_word_is_alarmed_once(self, account, at_broker):
        at_broker("SOMETHING", "5.00")

        with capture_logs() as logs:
            compare(account)
            compare(account)

        assert [each["code"] for each in logs if each["event"] == "ledger.unknown_activity"] == [
            "SOMETHING"
        ]

    def test_a_line_that_was_taken_back_is_reversed(self, account, at_broker, books):
        line = at_broker("DIV", "5.00")
        compare(account)
        books.cancel(line)

        compare(account)
        compare(account)

        assert cash_of(account).total == 0
        assert len(entries_of(account)) == 2

    def test_a_line_taken_back_before_we_heard_of_it_is_never_entered(
        self, account, at_broker, books
    ):
        books.cancel(at_broker("DIV", "5.00"))
        compare(account)

        assert entries_of(account) == []

    def test_a_correction_takes_the_place_of_what_it_corrects(self, account, at_broker, books):
        line = at_broker("DIV", "5.00")
        compare(account)
        books.cancel(line)
        at_broker("DIV", "6.00", previous_id=line.activity_id)

        compare(account)

        assert cash_of(account).total == 6
        assert [entry.cash_effect for entry in entries_of(account)] == [5, -5, 6]


class TestDifferences:
    def test_one_that_stays_becomes_open_and_is_alarmed_once(
        self, account, at_broker, books, settings
    ):
        settings.LEDGER_DRIFT_SECONDS = 60
        at_broker("CSD", "10.00")
        books.cash[account.broker_account_id] += Decimal("1.50")

        compare(account)
        [drift] = drifts_of(account)

        assert (drift.state, drift.difference) == ("SUSPECTED", Decimal("1.50"))
        assert not cash_of(account).is_complete

        with capture_logs() as logs:
            compare(account, after=59)
            assert drifts_of(account)[0].state == "SUSPECTED"
            compare(account, after=61)
            compare(account, after=62)

        assert drifts_of(account)[0].state == "OPEN"
        assert [each["event"] for each in logs if each["log_level"] == "error"] == ["ledger.drift"]

    def test_one_that_is_suspected_is_looked_at_again_soon(self, account, books, settings):
        settings.LEDGER_DRIFT_SECONDS, settings.LEDGER_COMPARE_SECONDS = 60, 86_400
        books.cash[account.broker_account_id] += 1
        at = datetime.now(UTC)
        services.compare_account(account_id=account.pk, at=at)

        assert book_of(account).due_at == at + timedelta(seconds=60)

        books.cash[account.broker_account_id] -= 1
        services.compare_account(account_id=account.pk, at=at)

        assert book_of(account).due_at == at + timedelta(days=1)

    def test_one_whose_cause_is_gone_heals(self, account, at_broker, books):
        books.cash[account.broker_account_id] += 10
        compare(account)
        compare(account, after=61)
        books.cash[account.broker_account_id] -= 10
        at_broker("CSD", "10.00")

        compare(account, after=62)

        assert [drift.state for drift in drifts_of(account)] == ["HEALED"]
        assert cash_of(account).is_complete

    def test_one_that_has_just_changed_is_not_open_yet(self, account, books, settings):
        settings.LEDGER_DRIFT_SECONDS = 60
        for seconds, state in ((0, "SUSPECTED"), (61, "SUSPECTED"), (62, "SUSPECTED")):
            books.cash[account.broker_account_id] += 1 if seconds < 62 else 0
            compare(account, after=seconds)
            assert drifts_of(account)[0].state == state

        compare(account, after=122)
        assert drifts_of(account)[0].state == "OPEN"

    def test_a_changed_one_is_the_same_with_another_figure(self, account, books):
        for seconds in (0, 61, 122):
            books.cash[account.broker_account_id] += 1
            compare(account, after=seconds)

        [drift] = drifts_of(account)
        assert (drift.state, drift.difference) == ("SUSPECTED", 3)

    def test_what_moves_meanwhile_makes_none(self, account, books):
        books.before_cash = lambda: post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))

        assert not compare(account).is_settled
        assert drifts_of(account) == []
        assert book_of(account).agreed_at is None

    def test_a_broker_that_is_away_changes_nothing(self, account, books):
        books.is_away = True

        with pytest.raises(VendorUnavailable):
            compare(account)
        assert drifts_of(account) == []


class TestWhoseTurn:
    def test_every_active_account_gets_a_book_and_its_turn(self, books, account):
        closed = make_account(status="ACCOUNT_CLOSED")

        assert services.compare_due(at=datetime.now(UTC)) == 1
        assert services.compare_due(at=datetime.now(UTC)) == 0
        with acting_as(SYSTEM):
            assert list(LedgerBook.objects.values_list("pk", flat=True)) == [account.pk]
            assert not LedgerBook.objects.filter(pk=closed.pk).exists()

    def test_one_that_cannot_be_read_does_not_stop_the_others(self, books, account):
        second = make_account()
        read = books.list_activities

        def fail_for_first(broker_account_id, *, after):
            if broker_account_id == account.broker_account_id:
                raise VendorUnavailable("fake", "Not this one.")
            return read(broker_account_id, after=after)

        books.list_activities = fail_for_first

        assert services.compare_due(at=datetime.now(UTC)) == 2
        assert cash_of(second).is_complete
        assert not cash_of(account).is_complete

    def test_a_broker_that_hangs_keeps_a_worker_only_for_a_while(self, books, account, monkeypatch):
        make_account()
        monkeypatch.setattr(comparing, "_LONGEST_SECONDS", -1)

        assert services.compare_due(at=datetime.now(UTC)) == 2
        assert not cash_of(account).is_complete

    def test_it_is_tried_again_a_minute_later(self, books, account):
        books.is_away = True
        at = datetime.now(UTC)
        services.compare_due(at=at)
        books.is_away = False

        assert services.compare_due(at=at + timedelta(seconds=59)) == 0
        assert services.compare_due(at=at + timedelta(seconds=61)) == 1
        assert cash_of(account).is_complete

    def test_only_the_last_days_are_read_once_both_agree(self, books, account):
        compare(account)
        agreed_at = book_of(account).agreed_at
        read, asked = books.list_activities, []

        def note(broker_account_id, *, after):
            asked.append(after)
            return read(broker_account_id, after=after)

        books.list_activities = note
        compare(account)

        assert asked == [agreed_at - timedelta(days=7)]

    def test_a_line_of_long_ago_is_found_when_the_cash_differs(self, books, account, at_broker):
        compare(account)
        at_broker("DIV", "5.00", occurred_at=datetime.now(UTC) - timedelta(days=90))

        made = compare(account)

        assert (made.new, made.difference, drifts_of(account)) == (1, 0, [])


class TestEvents:
    def keep(self, *lines):
        for line in lines:
            inbox.receive(activities.SOURCE, str(new_id()), {"id": line.activity_id})
        return services.apply_events()

    def test_an_event_is_entered_at_once(self, account, at_broker):
        assert self.keep(at_broker("DIV", "5.00")) == 1
        assert cash_of(account).total == 5

    def test_told_again_and_listed_it_stays_one(self, account, at_broker):
        line = at_broker("DIV", "5.00")
        self.keep(line, line)
        compare(account)

        with acting_as(SYSTEM):
            assert (Entry.objects.count(), Witness.objects.count()) == (1, 1)

    def test_one_of_a_stranger_is_left_alone(self, account, books):
        line = books.book("somebody-else", "DIV", "5.00")

        assert self.keep(line) == 1
        with acting_as(SYSTEM):
            assert Entry.objects.count() == 0

    def test_a_cancellation_that_overtakes_has_the_account_compared(
        self, account, at_broker, books
    ):
        compare(account)
        line = at_broker("DIV", "5.00")
        books.cancel(line)
        late = at_broker("DIV", "6.00", previous_id=line.activity_id)

        self.keep(late)

        assert book_of(account).due_at < datetime.now(UTC) + timedelta(seconds=10)
