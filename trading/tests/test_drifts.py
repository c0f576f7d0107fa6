"""Positions that differ from our lots: noticed, explained, healed, or settled by two people."""

from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from core.auth import SYSTEM, Principal, acting_as
from core.differences import NotProposed
from core.errors import Invalid, NotFound
from core.ids import new_id
from trading import services
from trading.models import Lot, Position, PositionDrift
from trading.services import drifts
from trading.tests.factories import buy, pass_time, positions_of
from trading.tests.telling import now, tell

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)
OPERATOR = Principal.staff(1)
APPROVER = Principal.staff(2)


def all_drifts():
    with acting_as(SYSTEM):
        return list(PositionDrift.objects.order_by("created_at"))


def figures():
    return [(d.symbol, d.ours, d.theirs, d.state) for d in all_drifts()]


def read(account, *, after=0):
    if after:
        pass_time(after)
    return services.sync_holdings(account_id=account.pk, at=now())


@pytest.fixture
def strange(account, broker, settings):
    """Three shares at the broker that nobody knows of, a minute after they were seen first."""
    settings.POSITION_DRIFT_SECONDS = 60
    read(account)  # what is there from now on is no opening
    broker.positions["MSFT"] = (Decimal(3), Decimal(900))
    read(account)
    read(account, after=61)
    return all_drifts()[-1]


class TestNoticing:
    def test_what_was_there_before_us_is_a_lot_of_its_own(self, account, broker):
        broker.positions["MSFT"] = (Decimal(3), Decimal(900))

        read(account)

        with acting_as(SYSTEM):
            lot = Lot.objects.get(account_id=account.pk)
        assert (lot.symbol, lot.remaining, lot.cost_left) == ("MSFT", 3, 900)
        assert (lot.basis_source, lot.acquired_at) == ("BROKER", None)
        assert figures() == []

    def test_news_on_its_way_is_only_suspected_and_heals(self, place, broker, account):
        order = place(buy(quantity="4"))
        read(account)
        event = broker.fill(str(order.pk), Decimal(4), HUNDRED)

        read(account)
        assert figures() == [("AAPL", 0, 4, "SUSPECTED")]
        assert positions_of(account) == {"AAPL": 4}

        tell(event)
        assert figures() == [("AAPL", 0, 4, "HEALED")]
        assert positions_of(account) == {"AAPL": 4}

    def test_what_stays_waits_for_people_and_alarms_once(self, account, broker, settings):
        settings.POSITION_DRIFT_SECONDS = 60
        read(account)
        broker.positions["MSFT"] = (Decimal(3), Decimal(900))

        with capture_logs() as logs:
            read(account)
            read(account, after=59)
            assert [state for *_, state in figures()] == ["SUSPECTED"]
            read(account, after=2)
            read(account, after=60)

        assert figures() == [("MSFT", 0, 3, "OPEN")]
        assert [log["event"] for log in logs].count("position.drift") == 1
        # What is shown stays the broker's figure.
        assert positions_of(account) == {"MSFT": 3}

    def test_a_difference_that_still_moves_is_younger(self, account, broker, settings):
        settings.POSITION_DRIFT_SECONDS = 60
        read(account)
        for shares in (1, 2, 3):
            broker.positions["MSFT"] = (Decimal(shares), Decimal(900))
            read(account, after=40)

        assert figures() == [("MSFT", 0, 3, "SUSPECTED")]

    def test_a_healthy_day_has_none(self, place, broker, account):
        for _ in range(3):
            order = place(buy(quantity="1"))
            tell(broker.fill(str(order.pk), Decimal(1), HUNDRED))
            services.heal_accounts(at=now())

        assert figures() == []

    def test_accounts_that_differ_are_read_until_they_do_not(self, strange, account, broker):
        broker.positions.clear()

        services.heal_accounts(at=now())

        assert figures() == [("MSFT", 0, 3, "HEALED")]


class TestSettling:
    def test_two_people_have_our_lots_follow(self, strange, account):
        drifts.propose(
            staff=OPERATOR, drift_id=strange.pk, remedy="ADOPT", note="Ticket 1", at=now()
        )
        drifts.confirm(staff=APPROVER, drift_id=strange.pk, at=now())

        with acting_as(SYSTEM):
            lot = Lot.objects.get(account_id=account.pk)
        assert (lot.symbol, lot.remaining, lot.cost_left) == ("MSFT", 3, 900)
        assert lot.basis_source == "OPERATOR"
        assert figures() == [("MSFT", 0, 3, "SETTLED")]
        read(account, after=120)
        assert figures() == [("MSFT", 0, 3, "SETTLED")]

    def test_shares_that_are_gone_are_taken_out(self, place, broker, account, settings):
        settings.POSITION_DRIFT_SECONDS = 60
        order = place(buy(quantity="4"))
        tell(broker.fill(str(order.pk), Decimal(4), HUNDRED))
        broker.positions["AAPL"] = (Decimal(1), HUNDRED)
        read(account)
        read(account, after=61)
        (drift,) = all_drifts()

        drifts.propose(staff=OPERATOR, drift_id=drift.pk, remedy="ADOPT", note="T", at=now())
        drifts.confirm(staff=APPROVER, drift_id=drift.pk, at=now())

        with acting_as(SYSTEM):
            assert Lot.objects.get(account_id=account.pk).remaining == 1

    def test_what_is_explained_stays_until_it_changes(self, strange, account, broker):
        drifts.propose(
            staff=OPERATOR, drift_id=strange.pk, remedy="KEEP", note="Ticket 1", at=now()
        )
        drifts.confirm(staff=APPROVER, drift_id=strange.pk, at=now())
        read(account, after=120)
        assert figures() == [("MSFT", 0, 3, "ACCEPTED")]

        broker.positions["MSFT"] = (Decimal(5), Decimal(900))
        read(account)

        assert figures() == [("MSFT", 0, 3, "HEALED"), ("MSFT", 0, 5, "SUSPECTED")]

    def test_nobody_settles_what_they_have_proposed(self, strange):
        drifts.propose(staff=OPERATOR, drift_id=strange.pk, remedy="ADOPT", note="T", at=now())

        with pytest.raises(drifts.SamePerson):
            drifts.confirm(staff=OPERATOR, drift_id=strange.pk, at=now())

        assert figures() == [("MSFT", 0, 3, "PROPOSED")]

    def test_a_proposal_is_forgotten_when_the_difference_changes(self, strange, account, broker):
        drifts.propose(staff=OPERATOR, drift_id=strange.pk, remedy="ADOPT", note="T", at=now())
        broker.positions["MSFT"] = (Decimal(5), Decimal(900))
        read(account)

        with pytest.raises(NotProposed):
            drifts.confirm(staff=APPROVER, drift_id=strange.pk, at=now())

        assert figures() == [("MSFT", 0, 5, "OPEN")]

    def test_a_proposal_is_refused_once_the_position_has_moved(self, strange, account):
        drifts.propose(staff=OPERATOR, drift_id=strange.pk, remedy="ADOPT", note="T", at=now())
        with acting_as(SYSTEM):
            Position.objects.filter(account_id=account.pk).update(quantity=4)

        with pytest.raises(drifts.Moved):
            drifts.confirm(staff=APPROVER, drift_id=strange.pk, at=now())

    def test_may_be_withdrawn(self, strange):
        drifts.propose(staff=OPERATOR, drift_id=strange.pk, remedy="ADOPT", note="T", at=now())

        drifts.withdraw(staff=APPROVER, drift_id=strange.pk, note="Wrong", at=now())

        assert figures() == [("MSFT", 0, 3, "OPEN")]

    @pytest.mark.parametrize(("remedy", "note"), [("ADOPT", " "), ("", "T"), ("BURN", "T")])
    def test_needs_a_remedy_and_a_note(self, strange, remedy, note):
        with pytest.raises(Invalid):
            drifts.propose(staff=OPERATOR, drift_id=strange.pk, remedy=remedy, note=note, at=now())

        assert figures() == [("MSFT", 0, 3, "OPEN")]

    def test_only_of_what_is_open(self, strange):
        with pytest.raises(NotFound):
            drifts.propose(staff=OPERATOR, drift_id=new_id(), remedy="KEEP", note="T", at=now())
        with pytest.raises(NotProposed):
            drifts.confirm(staff=APPROVER, drift_id=strange.pk, at=now())
