"""A transfer can be stopped until it leaves; what is true is read at the broker, never guessed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from accounts.services import oversight
from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from funding import gateways
from funding.gateways.fake import FakeFunds
from funding.models import Cancellation
from funding.services import cancellations, transfer_upkeep
from funding.tests.factories import make_bank
from funding.tests.moving import bank_at_broker, count_of, move, refresh, row, statuses, tell
from ledger.tests import invariants
from ledger.tests.factories import cash_of, open_ledger

AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")


def cancel(transfer, *, named="", by=None):
    return cancellations.cancel_transfer(
        principal=by or customer(transfer.user_id),
        account_id=transfer.account_id,
        transfer_id=named or transfer.pk,
        at=now(),
    )


def sweep(times=1):
    for _ in range(times):
        cancellations.sweep_cancellations(at=now())
        pass_time(11)


def asked():
    with acting_as(SYSTEM):
        return list(Cancellation.objects.order_by("pk").values_list("state", flat=True))


def at_broker(funds):
    return [moved.status for _, moved in funds.transfers]


@pytest.mark.django_db
class TestBeforeItLeaves:
    @pytest.fixture
    def bank(self, funds):
        bank = make_bank()
        open_ledger(bank.account, "300.00")
        yield bank
        invariants.check()

    def test_the_broker_stops_it_and_its_cash_is_free_again(self, funds, bank):
        transfer = move(bank, "120.50", "OUTGOING")

        canceled = cancel(transfer)

        assert (canceled.state, canceled.vendor_status) == ("ACCEPTED", "CANCELED")
        assert funds.cancellations == [transfer.broker_transfer_id]
        assert (at_broker(funds), asked()) == (["CANCELED"], ["ACCEPTED"])
        assert cash_of(bank.account).available == Decimal("300.00")
        assert statuses(bank) == ["PENDING", "QUEUED", "CANCELED"]

    def test_asking_again_changes_nothing(self, funds, bank):
        transfer = move(bank)

        cancel(transfer)
        again = cancel(transfer, named=transfer.broker_transfer_id)

        assert again.public_status == "CANCELED"
        assert len(funds.cancellations) == len(asked()) == 1

    def test_its_event_and_older_news_change_nothing_more(self, funds, bank):
        transfer = move(bank)
        cancel(transfer)

        tell(transfer, "PENDING", after=-100)
        tell(transfer, "CANCELED", after=1)

        assert row(transfer).vendor_status == "CANCELED"
        assert statuses(bank) == ["PENDING", "QUEUED", "CANCELED"]

    def test_one_that_was_never_sent_is_canceled_here(self, funds, bank):
        funds.fails_before = AWAY
        transfer = move(bank, "120.50", "OUTGOING")
        assert transfer.state == "PENDING"

        canceled = cancel(transfer)
        pass_time(30)
        transfer_upkeep.sweep_transfers(at=now())

        assert (canceled.state, row(transfer).state) == ("CANCELED", "CANCELED")
        assert (funds.cancellations, funds.transfers) == ([], [])
        assert cash_of(bank.account).available == Decimal("300.00")
        assert move(bank, "1", "OUTGOING").is_accepted

    def test_a_frozen_account_may_still_stop_what_is_under_way(self, funds, bank):
        transfer = move(bank)
        oversight.freeze(
            staff=Principal.staff(1), account_id=bank.account_id, reason="Odd.", at=now()
        )

        assert cancel(transfer).public_status == "CANCELED"


@pytest.mark.django_db
class TestTooLateOrTooEarly:
    @pytest.fixture
    def bank(self, funds):
        return make_bank()

    @pytest.mark.parametrize("status", ["SENT_TO_CLEARING", "COMPLETE", "RETURNED", "NEW_WORD"])
    def test_what_has_left_is_not_canceled(self, funds, bank, status):
        transfer = move(bank)
        tell(transfer, status)

        with pytest.raises(cancellations.TransferNotCancelable):
            cancel(transfer)

        assert (funds.cancellations, asked()) == ([], [])

    def test_what_has_left_unknown_to_us_is_told_in_words(self, funds, bank):
        transfer = move(bank)
        funds.settle(transfer.broker_transfer_id, "SENT_TO_CLEARING")

        with pytest.raises(cancellations.TransferNotCancelable, match="SENT_TO_CLEARING already"):
            cancel(transfer)

        assert asked() == ["REJECTED"]
        assert row(transfer).vendor_status == "QUEUED"
        refresh()
        assert row(transfer).vendor_status == "SENT_TO_CLEARING"

    def test_a_refusal_for_no_reason_may_be_tried_again(self, funds, bank):
        transfer = move(bank)
        funds.fails_before = VendorRejected("fake", "not now", http_status=422)
        with pytest.raises(cancellations.TransferNotCancelable, match="not now"):
            cancel(transfer)

        assert cancel(transfer).public_status == "CANCELED"
        assert asked() == ["REJECTED", "ACCEPTED"]

    @pytest.mark.parametrize("looks", [0, 3])
    def test_nobody_can_cancel_what_may_not_exist(self, funds, bank, looks):
        funds.fails_before = UNCLEAR
        transfer = move(bank)
        for _ in range(looks):
            transfer_upkeep.sweep_transfers(at=now())
            pass_time(11)

        with pytest.raises(cancellations.TransferUndecided):
            cancel(transfer)

        assert (funds.cancellations, asked()) == ([], [])

    def test_what_was_refused_cannot_be_canceled(self, funds, bank):
        funds.fails_before = VendorRejected("fake", "no")
        with pytest.raises(CleraError):
            move(bank)
        with acting_as(SYSTEM):
            [refused] = bank.transfers.all()

        with pytest.raises(cancellations.TransferNotCancelable):
            cancel(refused)

    def test_somebody_elses_is_not_found(self, funds, bank):
        transfer = move(bank)
        mine = make_bank(make_account("eve"))

        with pytest.raises(NotFound):
            cancel(transfer, by=customer("eve"))
        with pytest.raises(NotFound):
            cancellations.cancel_transfer(
                principal=customer("eve"),
                account_id=mine.account_id,
                transfer_id=transfer.broker_transfer_id,
                at=now(),
            )
        with pytest.raises(NotFound):
            cancel(transfer, named="no-id")
        assert row(transfer).vendor_status == "QUEUED"


@pytest.mark.django_db
class TestLostAnswers:
    @pytest.fixture
    def bank(self, funds):
        return make_bank()

    def test_one_that_had_its_effect_is_found_in_the_list(self, funds, bank):
        transfer = move(bank)
        funds.fails_after = UNCLEAR
        assert cancel(transfer).public_status == "QUEUED"
        assert cancel(transfer).public_status == "QUEUED"  # it is under way

        sweep()

        assert (row(transfer).vendor_status, asked()) == ("CANCELED", ["ACCEPTED"])
        assert len(funds.cancellations) == 1

    def test_one_that_had_none_is_sent_again(self, funds, bank):
        transfer = move(bank)
        funds.fails_before = UNCLEAR
        cancel(transfer)

        sweep(times=3)

        assert (row(transfer).vendor_status, asked()) == ("CANCELED", ["ACCEPTED"])
        assert len(funds.cancellations) == 2

    def test_one_that_came_too_late_meanwhile_ends_as_such(self, funds, bank):
        transfer = move(bank)
        funds.fails_before = UNCLEAR
        cancel(transfer)
        funds.settle(transfer.broker_transfer_id, "COMPLETE")

        sweep()

        assert asked() == ["REJECTED"]
        assert len(funds.cancellations) == 1

    def test_one_that_arrived_while_the_broker_was_silent_is_not_called_unsure(self, links):
        class Silent(FakeFunds):
            def cancel_transfer(self, broker_account_id, broker_transfer_id):
                self.settle(broker_transfer_id, "COMPLETE")
                tell(transfer, "COMPLETE")
                raise UNCLEAR

        with gateways.use(funds=Silent(), links=links):
            transfer = move(make_bank())
            with pytest.raises(cancellations.TransferNotCancelable, match="COMPLETE already"):
                cancel(transfer)

            sweep()
        assert asked() == ["REJECTED"]

    def test_a_broker_that_cannot_be_reached_is_asked_by_the_sweep(self, funds, bank):
        transfer = move(bank)
        funds.fails_before = AWAY
        assert cancel(transfer).public_status == "QUEUED"

        pass_time(30)
        sweep()

        assert (row(transfer).vendor_status, asked()) == ("CANCELED", ["ACCEPTED"])

    def test_a_refusal_that_cannot_be_checked_is_not_believed(self, funds, bank):
        transfer = move(bank)
        funds.settle(transfer.broker_transfer_id, "CANCELED")  # by the broker itself
        funds.reading_fails = AWAY
        assert cancel(transfer).public_status == "QUEUED"

        funds.reading_fails = None
        pass_time(30)
        sweep()

        assert (row(transfer).vendor_status, asked()) == ("CANCELED", ["ACCEPTED"])

    def test_one_that_the_broker_has_lost_ends(self, funds, bank):
        transfer = move(bank)
        funds.transfers.clear()

        with pytest.raises(cancellations.TransferNotCancelable, match="no such transfer"):
            cancel(transfer)

        assert asked() == ["REJECTED"]


@pytest.mark.django_db
class TestOverHttp:
    def url(self, bank, transfer_id):
        return f"/api/account/{bank.account.broker_account_id}/transfers/{transfer_id}"

    def test_is_200_when_it_is_certain_and_202_until_then(self, api, funds):
        bank = make_bank(make_account("ada"))
        transfer = move(bank)
        client = api(customer("ada"))
        funds.fails_before = UNCLEAR

        unsure = client.delete(self.url(bank, transfer.pk))
        sweep(times=3)
        certain = client.delete(self.url(bank, transfer.broker_transfer_id))

        assert (unsure.status_code, unsure.json()["status"]) == (202, "QUEUED")
        assert (certain.status_code, certain.json()["status"]) == (200, "CANCELED")
        assert certain.json()["is_cancelable"] is False
        assert client.get(self.url(bank, transfer.pk)).json() == certain.json()

    def test_names_what_stands_in_the_way(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        gone = move(bank)
        tell(gone, "COMPLETE")
        funds.fails_before = UNCLEAR
        lost = move(bank)

        late = client.delete(self.url(bank, gone.pk))
        early = client.delete(self.url(bank, lost.pk))
        foreign = api(customer("eve")).delete(self.url(bank, gone.pk))

        assert (late.status_code, late.json()["code"]) == (422, "transfer_not_cancelable")
        assert (early.status_code, early.json()["code"]) == (409, "transfer_undecided")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
        assert count_of(bank) == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_cancel_it_once(funds):
    transfer = move(make_bank())
    barrier = threading.Barrier(8)

    def ask(_):
        barrier.wait(timeout=60)
        try:
            return cancel(transfer).public_status
        except CleraError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(ask, range(8)))

    assert outcomes <= {"CANCELED", "QUEUED"}
    assert row(transfer).vendor_status == "CANCELED"
    assert (len(funds.cancellations), asked()) == (1, ["ACCEPTED"])


@pytest.mark.django_db(transaction=True)
class TestAgainstTheSandbox:
    @pytest.fixture
    def bank(self, sandbox, settings):
        settings.INTENT_LOOK_SECONDS = 0
        return bank_at_broker(sandbox)

    @pytest.mark.parametrize(
        "ending",
        [
            None,
            {"kind": "hang", "accepted": True},
            {"kind": "hang", "accepted": False},
            {"kind": "status", "status": 502, "accepted": True},
            {"kind": "reset", "accepted": False},
        ],
        ids=str,
    )
    def test_is_stopped_once_however_the_call_ends(self, sandbox, bank, ending):
        transfer = move(bank, "12.34")
        if ending:
            sandbox.fault(**ending, vendor="alpaca_broker", method="DELETE", path="/transfers")

        cancel(transfer)
        sandbox.hangs_no_more()
        for _ in range(4):
            cancellations.sweep_cancellations(at=now())

        assert row(transfer).vendor_status == "CANCELED"
        assert len(sandbox.effects("transfer.canceled")) == 1
        assert asked() == ["ACCEPTED"]

    def test_what_has_left_is_told_from_what_is_unknown(self, sandbox, bank):
        transfer = move(bank, "12.34")
        sandbox.advance(2)

        with pytest.raises(cancellations.TransferNotCancelable, match="SENT_TO_CLEARING"):
            cancel(transfer)

        assert sandbox.effects("transfer.canceled") == []
