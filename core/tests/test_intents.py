"""One vendor effect per intent, whatever happens between the commit and the answer."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents import sending, sweeping
from core.intents.models import IntentStep
from core.intents.states import SETTLED, TRANSITIONS, IllegalMove, IntentState
from core.tests.parcels import Parcel, ParcelCourier, Vendor, new_parcel, parcel_table, pass_time

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


class TestSendOnce:
    def test_records_what_the_vendor_answered(self):
        courier = ParcelCourier(Vendor())

        sent = send(new_parcel(), courier)

        assert (sent.state, sent.vendor_status, sent.vendor_id) == (
            "ACCEPTED",
            "taken",
            f"v-{sent.pk}",
        )
        assert (sent.attempts, sent.lease_holder, sent.sealed_payload) == (1, None, None)
        assert courier.outcomes == [("SENDING", "ACCEPTED")]
        assert states_of(sent) == ["SENDING", "ACCEPTED"]

    def test_a_second_call_has_no_second_effect(self):
        courier = ParcelCourier(Vendor())
        parcel = new_parcel()

        send(parcel, courier)
        again = send(parcel, courier)

        assert again.state == "ACCEPTED"
        assert courier.vendor.parcels == [str(parcel.pk)]

    def test_a_clear_no_is_final_and_says_why(self):
        courier = ParcelCourier(Vendor(answers=[NO], accepts=False))

        sent = send(new_parcel(), courier)

        assert (sent.state, sent.reason, sent.reason_code) == (
            "REJECTED",
            "too heavy",
            "vendor_rejected",
        )
        assert courier.outcomes == [("SENDING", "REJECTED")]

    def test_an_unreached_vendor_puts_it_back_with_a_pause(self, monkeypatch):
        monkeypatch.setattr(sweeping, "GRACE", timedelta(minutes=1))
        courier = ParcelCourier(Vendor(answers=[AWAY, None], accepts=False))

        sent = send(new_parcel(), courier)

        assert (sent.state, sent.reason_code, sent.lease_holder) == (
            "PENDING",
            "vendor_unavailable",
            None,
        )
        assert sweep(courier)["sent"] == 0

    def test_a_lost_answer_is_unknown_and_never_failed(self):
        courier = ParcelCourier(Vendor(answers=[UNCLEAR]))

        sent = send(new_parcel(), courier)

        assert sent.state == "UNKNOWN"
        assert courier.outcomes == []

    def test_the_secret_is_erased_once_sent(self):
        parcel = new_parcel()
        parcel.seal_payload(b"078051120", at=datetime.now(UTC))
        parcel.save()

        assert b"078051120" not in bytes(parcel.sealed_payload or b"")
        assert parcel.open_payload() == b"078051120"
        assert send(parcel, ParcelCourier(Vendor())).sealed_payload is None

    def test_a_lease_held_by_another_keeps_us_out(self):
        courier = ParcelCourier(Vendor())
        parcel = new_parcel(lease_until=datetime(2100, 1, 1, tzinfo=UTC))

        assert send(parcel, courier).state == "PENDING"
        assert courier.vendor.parcels == []


class TestSweep:
    def test_sends_what_a_dead_process_left_pending(self):
        courier = ParcelCourier(Vendor())
        parcel = new_parcel()
        pass_time(4)

        assert sweep(courier)["sent"] == 1
        assert courier.vendor.parcels == [str(parcel.pk)]

    def test_leaves_a_fresh_intent_to_the_request_that_wrote_it(self, monkeypatch):
        monkeypatch.setattr(sweeping, "GRACE", timedelta(minutes=1))
        courier = ParcelCourier(Vendor())
        new_parcel()

        assert sweep(courier)["sent"] == 0

    def test_finds_at_the_vendor_what_a_lost_answer_did(self):
        courier = ParcelCourier(Vendor(answers=[UNCLEAR]))
        parcel = send(new_parcel(), courier)

        sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.vendor_id) == ("ACCEPTED", f"v-{parcel.pk}")
        assert courier.vendor.parcels == [str(parcel.pk)]
        assert states_of(parcel) == ["SENDING", "UNKNOWN", "ACCEPTED"]

    def test_an_abandoned_send_becomes_unknown_and_is_looked_up_not_resent(self):
        courier = ParcelCourier(Vendor())
        parcel = new_parcel()
        courier.vendor.take(str(parcel.pk))
        parcel.state = "SENDING"
        parcel.lease_until = datetime(2000, 1, 1, tzinfo=UTC)
        parcel.save()

        counts = sweep(courier)

        parcel.refresh_from_db()
        assert (counts["abandoned"], counts["looked_up"]) == (1, 1)
        assert (parcel.state, courier.vendor.parcels) == ("ACCEPTED", [str(parcel.pk)])

    def test_resends_only_after_two_empty_looks_ten_seconds_apart(self):
        courier = ParcelCourier(Vendor(answers=[UNCLEAR, None], accepts=False), resends=True)
        parcel = send(new_parcel(), courier)
        courier.vendor.accepts = True

        sweep(courier)
        assert courier.vendor.parcels == []
        sweep(courier)
        assert courier.vendor.looks == 1
        pass_time(10)
        sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.attempts) == ("ACCEPTED", 2)
        assert courier.vendor.parcels == [str(parcel.pk)]

    def test_hands_to_people_what_may_not_be_resent(self):
        courier = ParcelCourier(Vendor(answers=[UNCLEAR], accepts=False))
        parcel = send(new_parcel(), courier)

        for _ in range(3):
            sweep(courier)
            pass_time(10)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.reason_code) == ("NEEDS_REVIEW", "no_trace")
        assert (parcel.attempts, courier.vendor.looks) == (1, 3)

    def test_an_unreadable_vendor_is_no_empty_look(self):
        courier = ParcelCourier(Vendor(answers=[UNCLEAR], accepts=False, look_error=AWAY))
        parcel = send(new_parcel(), courier)

        for _ in range(5):
            sweep(courier)
            pass_time(10)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.looks) == ("UNKNOWN", 0)

    def test_cancels_what_never_reached_the_vendor(self):
        courier = ParcelCourier(Vendor(answers=[AWAY], accepts=False))
        parcel = send(new_parcel(), courier)
        pass_time(301)

        sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.reason_code) == ("CANCELED", "not_sent")
        assert courier.outcomes == [("PENDING", "CANCELED")]

    def test_a_secret_too_old_is_erased_and_its_intent_canceled(self):
        courier = ParcelCourier(Vendor())
        courier.gives_up_after = courier.gives_up_after * 100
        parcel = new_parcel()
        parcel.seal_payload(b"078051120", at=datetime.now(UTC))
        parcel.save()
        pass_time(901)

        sweep(courier)

        parcel.refresh_from_db()
        assert (parcel.state, parcel.sealed_payload) == ("CANCELED", None)
        assert courier.vendor.parcels == []


class TestReview:
    @pytest.fixture
    def courier(self):
        return ParcelCourier(Vendor(answers=[UNCLEAR], accepts=False))

    @pytest.fixture
    def missing(self, courier):
        parcel = send(new_parcel(), courier)
        for _ in range(3):
            sweep(courier)
            pass_time(10)
        parcel.refresh_from_db()
        assert parcel.state == "NEEDS_REVIEW"
        return parcel

    def test_what_turns_up_late_is_found_without_a_person(self, courier, missing):
        courier.vendor.parcels.append(str(missing.pk))

        assert sweeping.look_again(through=courier, at=datetime.now(UTC)) == 1

        missing.refresh_from_db()
        assert (missing.state, missing.vendor_id) == ("ACCEPTED", f"v-{missing.pk}")

    def test_looks_again_only_every_ten_minutes(self, courier, missing):
        assert sweeping.look_again(through=courier, at=datetime.now(UTC)) == 1
        assert sweeping.look_again(through=courier, at=datetime.now(UTC)) == 0
        pass_time(601)

        assert sweeping.look_again(through=courier, at=datetime.now(UTC)) == 1
        missing.refresh_from_db()
        assert (missing.state, courier.vendor.looks) == ("NEEDS_REVIEW", 5)

    def test_after_days_only_people_look(self, courier, missing):
        pass_time(3 * 24 * 3600)

        assert sweeping.look_again(through=courier, at=datetime.now(UTC)) == 0
        assert (
            sending.dismiss(missing.pk, through=courier, at=datetime.now(UTC)).state == "REJECTED"
        )

    def test_only_what_is_under_review_can_be_dismissed(self):
        courier = ParcelCourier(Vendor())
        parcel = send(new_parcel(), courier)

        assert sending.dismiss(parcel.pk, through=courier, at=datetime.now(UTC)).state == "ACCEPTED"


class LateNo(ParcelCourier):
    """The first call hangs until its lease is over and the same id was sent again, then says no."""

    is_first = True

    def send(self, intent):
        if not self.is_first:
            return super().send(intent)
        self.is_first = False
        pass_time(31)
        for _ in range(3):
            sweep(self)
            pass_time(10)
        raise NO


def test_a_no_that_comes_after_a_resend_is_not_believed():
    courier = LateNo(Vendor(answers=[UNCLEAR]), resends=True)

    late = send(new_parcel(), courier)
    sweep(courier)

    late.refresh_from_db()
    assert (late.state, courier.vendor.parcels) == ("ACCEPTED", [str(late.pk)])
    assert "REJECTED" not in states_of(late)


class LocksAbove(ParcelCourier):
    """Leaves a trace where it would take the locks that come before the row's."""

    def lock_above(self, intent_id):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'above'")


class TestLocksAbove:
    def order(self, courier, act):
        """Run it, check that it settled the intent, and name the locks of the last transaction."""
        with CaptureQueriesContext(connection) as queries:
            act(courier)
        assert courier.outcomes
        said = [query["sql"] for query in queries.captured_queries]
        locks = ["above" if sql == "SELECT 'above'" else "row" for sql in said if _is_lock(sql)]
        return locks[-2:]

    @pytest.mark.parametrize("resends", [False, True])
    @pytest.mark.parametrize("answer", [None, NO])
    def test_come_before_the_rows_when_the_vendor_has_answered(self, resends, answer):
        courier = LocksAbove(Vendor(answers=[answer]), resends=resends)
        parcel = new_parcel()

        assert self.order(courier, lambda courier: send(parcel, courier)) == ["above", "row"]

    def test_and_when_it_is_canceled_found_missing_or_dismissed(self):
        stale = LocksAbove(Vendor())
        new_parcel()
        pass_time(301)
        assert self.order(stale, sweep) == ["above", "row"]

        lost = LocksAbove(Vendor(answers=[UNCLEAR], accepts=False))
        parcel = send(new_parcel(), lost)
        for _ in range(2):
            sweep(lost)
            pass_time(10)
        assert self.order(lost, sweep) == ["above", "row"]

        def dismiss(courier):
            sending.dismiss(parcel.pk, through=courier, at=datetime.now(UTC))

        assert self.order(lost, dismiss) == ["above", "row"]


def _is_lock(sql):
    return sql == "SELECT 'above'" or ("FOR " in sql and 'FROM "core_parcel"' in sql)


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_twenty_senders_of_one_intent_have_one_effect(self):
        courier = ParcelCourier(Vendor())
        parcel = new_parcel()
        barrier = threading.Barrier(20)

        def work():
            barrier.wait()
            send(parcel, courier)
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert courier.vendor.parcels == [str(parcel.pk)]
        assert states_of(parcel) == ["SENDING", "ACCEPTED"]


class TestTable:
    def test_every_state_has_its_row_and_only_review_leaves_a_settled_one(self):
        assert set(TRANSITIONS) == set(IntentState)
        assert {state for state in SETTLED if TRANSITIONS[state]} == {S.NEEDS_REVIEW}

    def test_unknown_is_left_by_reading_alone(self):
        assert S.CANCELED not in TRANSITIONS[S.UNKNOWN]
        assert S.PENDING not in TRANSITIONS[S.UNKNOWN]

    @given(st.sampled_from(list(IntentState)), st.sampled_from(list(IntentState)))
    def test_a_move_outside_the_table_is_refused(self, before, to):
        if to in TRANSITIONS[before]:
            return
        parcel = Parcel(state=before)

        with pytest.raises(IllegalMove):
            parcel.advance(to, at=datetime.now(UTC))

        assert parcel.state == before
