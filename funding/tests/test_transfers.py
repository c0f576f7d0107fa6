"""A transfer is asked for once, and what became of it is only learned by reading."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from structlog.testing import capture_logs

from accounts.tests.factories import customer, make_account, now
from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.events import subscribe
from core.ids import new_id
from core.intents import sending
from core.tests.parcels import pass_time
from funding.events import TransferSettled
from funding.gateways import FundingNews, Payment
from funding.models import Transfer
from funding.services import news, rules, transfer_upkeep, transfers
from funding.tests.factories import make_bank

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")

pytestmark = pytest.mark.django_db


def move(bank, amount="100.00", direction="INCOMING", *, by=None, account_id=None):
    return transfers.move_money(
        principal=by or customer(bank.user_id),
        account_id=account_id or bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal(amount),
        direction=direction,
        request=None,
        at=now(),
    )


def row(transfer):
    with acting_as(SYSTEM):
        return Transfer.objects.get(pk=transfer.pk)


def look(times=1):
    for _ in range(times):
        transfer_upkeep.sweep_transfers(at=now())
        news.apply_events()
        pass_time(11)


def after(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def tell(vendor_id, status, *, at="", ulid="01"):
    payload = {
        "kind": FundingNews.TRANSFER,
        "id": vendor_id,
        "status": status,
        "at": at or after(1),
    }
    inbox.receive(news.SOURCE, ulid, payload, cursor=ulid)
    return news.apply_events()


class TestMoveMoney:
    def test_reaches_the_broker_once_with_the_exact_amount(self, funds):
        bank = make_bank()
        transfer = move(bank, "1234.50")

        assert funds.payments == [
            Payment(bank.broker_relationship_id, "INCOMING", Decimal("1234.50"))
        ]
        assert (transfer.state, transfer.vendor_status) == ("ACCEPTED", "QUEUED")
        assert transfer.public_id == funds.transfers[0][1].broker_transfer_id
        assert row(transfer).amount == Decimal("1234.50")

    def test_another_may_follow_once_the_first_is_decided(self, funds):
        bank = make_bank()

        move(bank, "10")
        move(bank, "10")

        assert len(funds.payments) == 2

    def test_an_account_that_is_not_active_moves_nothing(self, funds):
        bank = make_bank(make_account(status="ACTION_REQUIRED"))

        with pytest.raises(rules.AccountNotActive):
            move(bank)

    @pytest.mark.parametrize("status", ["QUEUED", "CANCELED", "SOMETHING_NEW"])
    def test_a_bank_that_is_not_approved_moves_nothing(self, funds, status):
        with pytest.raises(transfers.RelationshipNotApproved):
            move(make_bank(status=status))

        assert funds.payments == []

    def test_the_bank_of_another_account_is_not_found(self, funds):
        mine, theirs = make_account(), make_bank()

        with pytest.raises(NotFound):
            move(theirs, by=customer(mine.user_id), account_id=mine.pk)
        with pytest.raises(NotFound):
            move(theirs, by=customer())
        assert funds.payments == []

    def test_a_refusal_is_told_in_the_brokers_words(self, funds):
        funds.fails_before = VendorRejected("fake", "maximum total daily transfer is $50,000")

        with pytest.raises(transfers.TransferRefused) as refusal:
            move(make_bank(), "6000")

        assert "maximum total daily transfer is $50,000" in refusal.value.detail


class TestOneAtATime:
    def test_an_undecided_transfer_stands_in_the_way_of_its_direction(self, funds):
        bank = make_bank()
        funds.fails_after = UNCLEAR
        move(bank)

        with pytest.raises(transfers.TransferInProgress):
            move(bank, "5")

        assert move(bank, "5", "OUTGOING").is_accepted
        assert len(funds.payments) == 2

    def test_so_does_one_under_review_until_an_operator_has_decided(self, funds):
        bank = make_bank()
        funds.fails_before = UNCLEAR
        lost = move(bank)
        look(times=3)
        assert row(lost).state == "NEEDS_REVIEW"

        with pytest.raises(transfers.TransferInProgress):
            move(bank)
        sending.dismiss(lost.pk, through=transfers.TransferCourier(), at=now())

        assert (row(lost).state, row(lost).reason) == (
            "REJECTED",
            "An operator found no trace of it.",
        )
        assert move(bank).is_accepted

    def test_an_operator_cannot_dismiss_what_the_broker_has(self, funds):
        transfer = move(make_bank())

        assert (
            sending.dismiss(transfer.pk, through=transfers.TransferCourier(), at=now()).state
            == "ACCEPTED"
        )

    def test_the_database_itself_admits_one(self, funds):
        bank = make_bank()
        with acting_as(SYSTEM):
            Transfer.ask(pk=new_id(), relationship=bank, direction="INCOMING", amount=Decimal(1))
            with pytest.raises(IntegrityError, match="one_undecided"), transaction.atomic():
                Transfer.ask(
                    pk=new_id(), relationship=bank, direction="INCOMING", amount=Decimal(2)
                )

    @pytest.mark.parametrize("amount", ["0", "-1", "NaN"])
    def test_the_database_itself_refuses_amounts_that_are_none(self, funds, amount):
        transfer = move(make_bank())
        with (
            acting_as(SYSTEM),
            pytest.raises(IntegrityError, match="amount_positive"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "UPDATE funding_transfer SET amount = %s WHERE id = %s", [amount, transfer.pk]
            )


class TestUnsureOutcomes:
    def test_a_lost_answer_is_found_in_the_brokers_list(self, funds):
        funds.fails_after = UNCLEAR
        transfer = move(make_bank())
        assert (transfer.state, transfer.public_status) == ("UNKNOWN", "PENDING")

        look()

        [(_, moved)] = funds.transfers
        assert row(transfer).broker_transfer_id == moved.broker_transfer_id
        assert (row(transfer).state, len(funds.payments)) == ("ACCEPTED", 1)

    def test_without_a_trace_a_person_decides_and_nothing_is_sent_again(self, funds):
        funds.fails_before = UNCLEAR
        transfer = move(make_bank())

        look(times=6)

        assert row(transfer).state == "NEEDS_REVIEW"
        assert len(funds.payments) == 1

    def test_one_that_never_arrived_is_sent_by_the_sweep(self, funds):
        funds.fails_before = AWAY
        transfer = move(make_bank())
        assert transfer.state == "PENDING"

        pass_time(30)
        look()

        assert (row(transfer).state, len(funds.transfers)) == ("ACCEPTED", 1)

    def test_it_is_not_sent_late_when_the_bank_is_gone(self, funds):
        bank = make_bank()
        funds.fails_before = AWAY
        transfer = move(bank)
        with acting_as(SYSTEM):
            bank.note_status("CANCELED", at=None)

        pass_time(30)
        look()
        pass_time(300)
        look()

        assert (row(transfer).state, row(transfer).reason_code) == ("CANCELED", "not_sent")
        assert funds.transfers == []

    def test_a_twin_of_an_earlier_transfer_is_not_mistaken_for_it(self, funds):
        bank = make_bank()
        first = move(bank, "25")
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")

        look(times=3)

        assert row(lost).state == "NEEDS_REVIEW"
        assert row(first).broker_transfer_id == funds.transfers[0][1].broker_transfer_id

    @pytest.mark.parametrize(("amount", "direction"), [("25.01", "INCOMING"), ("25", "OUTGOING")])
    def test_only_the_same_money_the_same_way_is_a_match(self, funds, amount, direction):
        bank = make_bank()
        owner = bank.account.broker_account_id
        other = Payment(bank.broker_relationship_id, direction, Decimal(amount))
        funds.add_transfer(owner, other)
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")

        look(times=3)

        assert row(lost).state == "NEEDS_REVIEW"

    def test_one_that_turns_up_during_the_review_is_recognised(self, funds):
        bank = make_bank()
        funds.fails_before = UNCLEAR
        lost = move(bank, "25")
        look(times=3)

        payment = Payment(bank.broker_relationship_id, "INCOMING", Decimal(25))
        moved = funds.add_transfer(bank.account.broker_account_id, payment)
        assert transfer_upkeep.refresh_transfers(at=now()) == 1

        assert (row(lost).state, row(lost).broker_transfer_id) == (
            "ACCEPTED",
            moved.broker_transfer_id,
        )


class TestNews:
    @pytest.mark.parametrize("status", ["COMPLETE", "REJECTED", "CANCELED"])
    def test_an_end_is_told_to_the_other_apps(
        self, funds, status, django_capture_on_commit_callbacks
    ):
        told = []
        subscribe(TransferSettled, told.append)
        transfer = move(make_bank())

        with django_capture_on_commit_callbacks(execute=True):
            tell(transfer.broker_transfer_id, status)
            tell(transfer.broker_transfer_id, status, ulid="02")

        assert row(transfer).vendor_status == status
        assert told == [TransferSettled(transfer.pk, transfer.account_id)]

    def test_a_complete_transfer_may_still_be_returned(
        self, funds, django_capture_on_commit_callbacks
    ):
        told = []
        subscribe(TransferSettled, told.append)
        transfer = move(make_bank())

        with django_capture_on_commit_callbacks(execute=True):
            tell(transfer.broker_transfer_id, "COMPLETE", ulid="01", at=after(1))
            tell(transfer.broker_transfer_id, "RETURNED", ulid="02", at=after(2))

        assert (row(transfer).state, row(transfer).vendor_status) == ("ACCEPTED", "RETURNED")
        assert len(told) == 2

    def test_older_news_does_not_undo_newer(self, funds):
        transfer = move(make_bank())

        tell(transfer.broker_transfer_id, "COMPLETE", ulid="02", at=after(2))
        tell(transfer.broker_transfer_id, "SENT_TO_CLEARING", ulid="01", at=after(1))

        assert row(transfer).vendor_status == "COMPLETE"

    def test_an_unknown_word_is_kept_and_alarmed(self, funds):
        transfer = move(make_bank())

        with capture_logs() as logs:
            tell(transfer.broker_transfer_id, "SOMETHING_NEW")

        assert row(transfer).vendor_status == "SOMETHING_NEW"
        assert [e["event"] for e in logs if e["log_level"] == "error"] == [
            "transfer.unknown_status"
        ]

    def test_news_that_overtake_the_answer_wait_for_it(self, funds):
        funds.fails_after = UNCLEAR
        transfer = move(make_bank())
        [(_, moved)] = funds.transfers

        for _ in range(inbox.MAX_ATTEMPTS + 1):
            assert tell(moved.broker_transfer_id, "COMPLETE") == 0
        look()

        assert (row(transfer).state, row(transfer).vendor_status) == ("ACCEPTED", "COMPLETE")

    def test_news_of_something_else_are_laid_aside(self, funds):
        assert tell("not-ours", "COMPLETE") == 1
        inbox.receive(news.SOURCE, "09", {"kind": "wire bank"})
        assert news.apply_events() == 1


class TestRefresh:
    def test_makes_up_for_events_that_never_came(self, funds):
        transfer = move(make_bank())
        funds.settle(transfer.broker_transfer_id, "COMPLETE")

        assert transfer_upkeep.refresh_transfers(at=datetime.now(UTC)) == 1
        assert row(transfer).vendor_status == "COMPLETE"
        assert transfer_upkeep.refresh_transfers(at=datetime.now(UTC)) == 0

    def test_notices_a_return_days_after_the_end(self, funds):
        transfer = move(make_bank())
        funds.settle(transfer.broker_transfer_id, "COMPLETE")
        transfer_upkeep.refresh_transfers(at=datetime.now(UTC))

        funds.settle(transfer.broker_transfer_id, "RETURNED")
        pass_time(2 * 86400)
        assert transfer_upkeep.refresh_transfers(at=datetime.now(UTC)) == 1
        assert row(transfer).vendor_status == "RETURNED"

    def test_a_broker_that_cannot_be_read_changes_nothing(self, funds):
        transfer = move(make_bank())
        funds.reading_fails = AWAY

        assert transfer_upkeep.refresh_transfers(at=datetime.now(UTC)) == 1
        assert row(transfer).vendor_status == "QUEUED"
