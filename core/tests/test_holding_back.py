"""What keeps an intent from being sent, now or again, and what becomes of it then."""

from datetime import UTC, datetime, timedelta

import pytest

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents import sending, sweeping
from core.intents.couriers import Hold
from core.intents.models import IntentStep
from core.intents.states import IntentState
from core.tests.parcels import ParcelCourier, Vendor, new_parcel, parcel_table, pass_time

S = IntentState
UNCLEAR = VendorUnclear("post", "no answer")
AWAY = VendorUnavailable("post", "not connected")
NO = VendorRejected("post", "too heavy", vendor_code="422")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _table(db):
    with parcel_table():
        yield


def send(parcel, courier):
    return sending.send_once(parcel.pk, through=courier, at=datetime.now(UTC))


def sweep(courier):
    return sweeping.sweep(through=courier, at=datetime.now(UTC))


def states_of(parcel):
    return list(IntentStep.objects.filter(intent_id=parcel.pk).values_list("to_state", flat=True))


class Guarded(ParcelCourier):
    """May be told to hold parcels back, or to let them wait."""

    hold = None
    is_open = True

    def must_hold(self, intent):
        return self.hold

    def may_send(self, intent):
        return self.is_open


class TestHoldingBack:
    HOLD = Hold("The depot is shut.", "depot_shut")

    def test_what_is_ready_is_put_aside_instead_of_sent(self):
        courier = Guarded(Vendor())
        courier.hold = self.HOLD

        held = send(new_parcel(), courier)

        assert (held.state, held.reason, held.reason_code) == (
            "HELD",
            "The depot is shut.",
            "depot_shut",
        )
        assert (held.lease_holder, held.attempts, courier.vendor.parcels) == (None, 0, [])

    def test_nothing_moves_it_on_or_gives_it_up(self):
        courier = Guarded(Vendor())
        courier.hold = self.HOLD
        parcel = send(new_parcel(), courier)
        courier.hold = None
        pass_time(3600)

        counts = sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, set(counts.values())) == ("HELD", {0})

    def test_what_has_grown_old_is_put_aside_and_not_canceled(self):
        courier = Guarded(Vendor())
        parcel = new_parcel()
        courier.hold = self.HOLD
        pass_time(301)

        sweep(courier)

        parcel.refresh_from_db()
        assert parcel.state == "HELD"

    def test_what_may_only_wait_stays_pending(self):
        courier = Guarded(Vendor())
        courier.is_open = False
        parcel = new_parcel()
        pass_time(4)

        sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, courier.vendor.parcels) == ("PENDING", [])


class TestSendingAgain:
    @pytest.fixture
    def courier(self):
        courier = Guarded(Vendor(answers=[UNCLEAR, None], accepts=False), resends=True)
        courier.resends_for = timedelta(seconds=60)
        return courier

    @pytest.fixture
    def lost(self, courier):
        return send(new_parcel(), courier)

    def look(self, courier, times=1):
        for _ in range(times):
            pass_time(10)
            sweep(courier)

    def state_of(self, parcel):
        parcel.refresh_from_db()
        return parcel.state, parcel.attempts

    @pytest.mark.parametrize("block", [{"hold": TestHoldingBack.HOLD}, {"is_open": False}])
    def test_waits_while_something_forbids_it_and_goes_on_looking(self, courier, lost, block):
        vars(courier).update(block)
        self.look(courier, times=4)

        assert (self.state_of(lost), courier.vendor.looks) == (("UNKNOWN", 1), 4)

        vars(courier).update(hold=None, is_open=True)
        self.look(courier)
        assert self.state_of(lost) == ("ACCEPTED", 2)

    def test_is_not_done_with_what_is_too_old(self, courier, lost):
        courier.is_open = False
        self.look(courier, times=7)
        courier.is_open = True
        self.look(courier)

        assert self.state_of(lost) == ("NEEDS_REVIEW", 1)
        assert courier.vendor.parcels == []

    def test_what_is_held_back_is_looked_up_for_as_long_as_that_lasts(self, courier, lost):
        courier.hold = TestHoldingBack.HOLD
        self.look(courier, times=9)
        assert self.state_of(lost) == ("UNKNOWN", 1)

        courier.vendor.parcels.append(str(lost.pk))
        self.look(courier)
        assert self.state_of(lost) == ("ACCEPTED", 1)
