"""What follows from what has become of a transfer: books, words, evidence and sums."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import CleraError, NotFound, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding import selectors
from funding.gateways import Payment
from funding.services import cancellations, news, outcomes, transfer_upkeep
from funding.tests.factories import make_bank
from funding.tests.moving import move, refresh, row, statuses, tell, told
from ledger.tests import invariants
from ledger.tests.factories import cash_of, entries_of, movement, open_ledger, post

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")

pytestmark = pytest.mark.django_db


def look(times=1):
    for _ in range(times):
        transfer_upkeep.sweep_transfers(at=now())
        pass_time(11)


class TestTheLedger:
    @pytest.fixture(autouse=True)
    def _is_sound(self):
        yield
        invariants.check()

    def kinds(self, bank):
        return [(entry.kind, entry.cash_effect) for entry in entries_of(bank.account)]

    @pytest.mark.parametrize(
        ("direction", "kind", "cash"),
        [("INCOMING", "DEPOSIT", Decimal(100)), ("OUTGOING", "WITHDRAWAL", Decimal(-100))],
    )
    @pytest.mark.parametrize("status", ["COMPLETE", "SETTLED"])
    def test_takes_over_what_has_arrived_once(self, funds, direction, kind, cash, status):
        bank = make_bank()
        transfer = move(bank, "100", direction)
        assert self.kinds(bank) == []

        for _ in range(2):
            tell(transfer, status)
        funds.settle(transfer.broker_transfer_id, status)
        for _ in range(2):
            refresh()
            pass_time(2 * 86400)

        assert self.kinds(bank) == [(kind, cash)]
        [entry] = entries_of(bank.account)
        assert entry.reference == transfer.pk

    def test_learns_of_it_from_the_answer_at_once(self, funds):
        bank = make_bank()
        funds.first_status = "COMPLETE"

        transfer = move(bank, "100")

        assert transfer.vendor_status == "COMPLETE"
        assert self.kinds(bank) == [("DEPOSIT", Decimal(100))]

    def test_learns_of_it_from_a_look(self, funds):
        bank = make_bank()
        transfer = move(bank, "100")
        funds.settle(transfer.broker_transfer_id, "COMPLETE")

        refresh()

        assert self.kinds(bank) == [("DEPOSIT", Decimal(100))]

    def test_has_it_once_when_the_brokers_books_came_first(self, funds):
        bank = make_bank()
        open_ledger(bank.account, "500.01")
        transfer = move(bank, "100", "OUTGOING")
        post(movement(bank.account, "WITHDRAWAL", "-100"))

        tell(transfer, "COMPLETE")

        cash = cash_of(bank.account)
        assert (cash.total, cash.held) == (Decimal("400.01"), Decimal(0))

    def test_books_it_at_the_time_that_the_broker_tells(self, funds):
        bank = make_bank()
        transfer = move(bank)

        tell(transfer, "COMPLETE", after=7)

        assert entries_of(bank.account)[0].occurred_at == row(transfer).vendor_status_at
        assert row(transfer).vendor_status_at > now() + timedelta(seconds=5)


class TestWhatTheCustomerIsTold:
    def test_is_every_status_once(self, funds):
        bank = make_bank()
        transfer = move(bank, "12.30")
        for seconds, status in enumerate(["SENT_TO_CLEARING", "COMPLETE", "COMPLETE"]):
            tell(transfer, status, after=seconds)

        heard = told(bank, outcomes.STATUS)

        assert [payload["status"] for payload in heard] == [
            "PENDING",
            "QUEUED",
            "SENT_TO_CLEARING",
            "COMPLETE",
        ]
        assert heard[-1] == {
            "id": transfer.broker_transfer_id,
            "transfer_id": str(transfer.pk),
            "direction": "INCOMING",
            "amount": "12.30",
            "status": "COMPLETE",
        }

    def test_is_nothing_while_nobody_knows(self, funds):
        bank = make_bank()
        funds.fails_before = UNCLEAR
        move(bank)

        look(times=4)

        assert statuses(bank) == ["PENDING"]


class TestEvidence:
    def test_is_what_the_list_showed_at_the_last_look(self, funds):
        bank = make_bank()
        known = move(bank, "25")
        other = funds.add_transfer(
            bank.account.broker_account_id,
            Payment(bank.broker_relationship_id, "INCOMING", Decimal("7.50")),
        )
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")
        assert row(lost).evidence == {}

        look()

        evidence = row(lost).evidence
        assert datetime.fromisoformat(evidence["looked_at"]).tzinfo is not None
        assert [entry["id"] for entry in evidence["entries"]] == [
            other.broker_transfer_id,
            known.broker_transfer_id,
        ]
        assert evidence["entries"][0] == {
            "id": other.broker_transfer_id,
            "amount": "7.50",
            "direction": "INCOMING",
            "status": "QUEUED",
            "created_at": other.created_at.isoformat(),
            "is_taken": False,
        }
        assert evidence["entries"][1]["is_taken"] is True

    def test_is_short_and_still_there_for_whoever_reviews_it(self, funds):
        bank = make_bank()
        for cents in range(25):
            funds.add_transfer(
                bank.account.broker_account_id,
                Payment(bank.broker_relationship_id, "INCOMING", Decimal(f"1.{cents:02}")),
            )
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")

        look(times=3)

        assert row(lost).state == "NEEDS_REVIEW"
        entries = row(lost).evidence["entries"]
        assert [entry["amount"] for entry in entries] == [f"1.{c:02}" for c in range(24, 4, -1)]

    def test_stays_when_the_broker_cannot_be_read(self, funds):
        bank = make_bank()
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")
        look()
        before = row(lost).evidence

        funds.reading_fails = AWAY
        look()

        assert row(lost).evidence == before != {}


class TestSummary:
    def test_adds_up_what_arrived_by_bank_and_what_is_on_its_way(self, funds):
        old = make_bank()
        first = move(old, "100")
        tell(first, "COMPLETE")
        with acting_as(SYSTEM):
            old.note_status("CANCELED", at=None)
        new = make_bank(old.account)
        tell(move(new, "50.25"), "COMPLETE")
        tell(move(new, "9.75"), "COMPLETE")
        tell(move(new, "30", "OUTGOING"), "COMPLETE")
        tell(move(new, "77"), "CANCELED")
        move(new, "5")
        latest = move(new, "6", "OUTGOING")

        summary = selectors.funding_summary(
            principal=customer(old.user_id), account_id=old.account.broker_account_id
        )

        assert (summary.deposited, summary.completed_count) == (Decimal("160.00"), 4)
        assert (summary.pending_in, summary.pending_out) == (Decimal(5), Decimal(6))
        assert [(s.relationship.pk, s.total, s.count) for s in summary.sources] == [
            (new.pk, Decimal("60.00"), 2),
            (old.pk, Decimal("100.00"), 1),
        ]
        assert summary.sources[1].last_at == row(first).vendor_status_at
        assert len(summary.latest) == 5
        assert summary.latest[0].pk == latest.pk

    def test_of_an_account_without_anything_is_zero(self):
        account = make_account()

        summary = selectors.funding_summary(
            principal=customer(account.user_id), account_id=account.pk
        )

        assert (summary.deposited, summary.sources, summary.latest) == (Decimal(0), [], [])
        with pytest.raises(NotFound):
            selectors.funding_summary(principal=customer(), account_id=account.pk)


class TestLockOrder:
    def test_the_account_is_locked_before_the_transfer(self, funds):
        bank = make_bank()

        with CaptureQueriesContext(connection) as queries:
            transfer = move(bank)
            tell(transfer, "COMPLETE")

        by_transaction, locks = [], []
        for query in queries.captured_queries:
            if query["sql"].startswith("RELEASE SAVEPOINT"):
                by_transaction.append(locks)
                locks = []
            for table in ("accounts_brokerageaccount", "funding_transfer"):
                if "FOR " in query["sql"] and f'FROM "{table}"' in query["sql"]:
                    locks.append(table)
        both = [found for found in by_transaction if len(set(found)) == 2]
        assert len(both) >= 2
        assert all(found[0] == "accounts_brokerageaccount" for found in both)


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_all_who_tell_of_a_transfer_at_once_meet_without_a_deadlock(self, funds, settings):
        settings.INTENT_LOOK_SECONDS = 0
        settings.TRANSFER_DAILY_COUNT = 1000
        bank = make_bank()
        open_ledger(bank.account, "5000.00")
        with ThreadPoolExecutor(5) as pool:
            for cents in range(10):
                before = cash_of(bank.account).total
                funds.fails_after = UNCLEAR if cents % 2 else None
                transfer = move(bank, f"10.{cents:02}", "OUTGOING")
                moved = funds.transfers[-1][1]
                funds.settle(moved.broker_transfer_id, "COMPLETE")
                name = Named(moved.broker_transfer_id)

                acts = [
                    lambda name=name: tell(name, "COMPLETE"),
                    lambda: transfer_upkeep.sweep_transfers(at=now()),
                    refresh,
                    refresh,
                    lambda pk=transfer.pk: cancel(bank, pk),
                ]
                meeting = Barrier(len(acts))
                list(pool.map(lambda act, meeting=meeting: at_once(meeting, act), acts))
                pass_news()
                refresh_now(transfer)

                assert row(transfer).vendor_status == "COMPLETE"
                assert before - cash_of(bank.account).total == transfer.amount
        assert cash_of(bank.account).held == 0
        assert len(entries_of(bank.account)) == 1 + 3 * 10  # held, freed and withdrawn
        invariants.check()


@dataclass
class Named:
    broker_transfer_id: str


def at_once(meeting, act):
    meeting.wait(timeout=60)
    try:
        act()
    finally:
        connection.close()


def cancel(bank, transfer_id):
    with suppress(CleraError):
        cancellations.cancel_transfer(
            principal=customer(bank.user_id),
            account_id=bank.account_id,
            transfer_id=transfer_id,
            at=now(),
        )


def pass_news():
    transfer_upkeep.sweep_transfers(at=now())
    news.apply_events()


def refresh_now(transfer):
    with acting_as(SYSTEM):
        type(transfer).objects.filter(pk=transfer.pk).update(due_at=now() - timedelta(minutes=1))
    refresh()
