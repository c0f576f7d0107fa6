"""Whom a kill switch stops, who ordered it, and what stays of it."""

import pytest

from core.audit.models import AuditEntry
from core.auth import SYSTEM, Kind, Principal, acting_as, api_keys
from core.errors import Invalid, NotFound, VendorUnavailable
from trading import risk, services
from trading.models import KillSwitch
from trading.selectors import switches as standing
from trading.services import switches
from trading.states import SwitchScope
from trading.tests.factories import BOB, buy, customer, fund, new_account, orders_of
from trading.tests.stopping import STAFF, lift, now, stop

pytestmark = pytest.mark.django_db
AWAY = VendorUnavailable("alpaca", "not connected")


class TestScopes:
    @pytest.fixture
    def bobs(self, apple):
        account = new_account(BOB)
        fund(account)
        return account

    def is_stopped(self, account, placed_by=""):
        found = standing.standing(
            account_id=account.pk, user_id=account.user_id, placed_by=placed_by
        )
        return found is not None

    def test_everybody(self, account, bobs):
        stop()
        assert self.is_stopped(account)
        assert self.is_stopped(bobs)

    @pytest.mark.parametrize("name", ["pk", "broker_account_id"])
    def test_one_account_by_either_id(self, account, bobs, name):
        switch = stop(SwitchScope.ACCOUNT, getattr(account, name))

        assert (switch.target, switch.user_id) == (str(account.pk), account.user_id)
        assert self.is_stopped(account)
        assert not self.is_stopped(bobs)

    def test_one_customer(self, account, bobs):
        stop(SwitchScope.PRINCIPAL, BOB)

        assert self.is_stopped(bobs)
        assert not self.is_stopped(account)

    def test_one_key_whomever_it_trades_for(self, account, bobs):
        new = api_keys.create(label="desk", scopes=["trading:write"])
        name = Principal(kind=Kind.SERVICE, key_id=new.key.public_id).name
        stop(SwitchScope.PRINCIPAL, name)

        assert self.is_stopped(account, placed_by=name)
        assert self.is_stopped(bobs, placed_by=name)
        assert not self.is_stopped(account, placed_by=customer().name)

    def test_held_orders_wait_for_the_switch_that_stops_them(self, place, bobs, account, broker):
        broker.plan(AWAY)
        place(buy(notional="100"))
        first, second = stop(SwitchScope.ACCOUNT, account.pk), stop(SwitchScope.PRINCIPAL, BOB)
        assert services.obey_switches(at=now())["held"] == 1

        lift(second)
        assert services.release_due(at=now()) == {}
        lift(first)
        assert services.release_due(at=now()) == {"sent": 1}


class TestOrders:
    """What staff may order, and what stays of it."""

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"reason": "  "}, "reason"),
            ({"scope": "SOME"}, "scope"),
            ({"target": "somebody"}, "target"),
            ({"scope": "ACCOUNT"}, "target"),
            ({"scope": "PRINCIPAL", "target": "nobody-sub"}, "target"),
            ({"scope": "PRINCIPAL", "target": "service:none"}, "target"),
        ],
    )
    def test_nonsense_is_refused_by_field(self, db, given, field):
        with pytest.raises(Invalid) as error:
            stop(**given)

        assert list(error.value.field_errors) == [field]
        assert not KillSwitch.objects.exists()

    def test_an_account_that_is_none_is_not_found(self, db):
        with pytest.raises(NotFound):
            stop(SwitchScope.ACCOUNT, "0190a4c5-0000-7000-8000-000000000001")

    def test_one_switch_stands_at_a_time(self, db):
        first = stop()
        with pytest.raises(switches.AlreadyStopped):
            stop()
        lift(first)

        assert stop().pk != first.pk
        assert [each.lifted_by for each in KillSwitch.objects.order_by("ordered_at")] == [
            "staff:7",
            "",
        ]

    def test_it_is_lifted_once_and_with_a_reason(self, db):
        switch = stop()
        with pytest.raises(Invalid):
            lift(switch, reason="")
        lift(switch)
        with pytest.raises(switches.SwitchLifted):
            lift(switch)
        with pytest.raises(switches.SwitchLifted):
            switches.cancel_open(staff=STAFF, switch_id=switch.pk, reason="x")

    def test_who_and_why_is_on_record(self, account):
        switch = stop(SwitchScope.ACCOUNT, account.pk)
        lift(switch)

        with acting_as(SYSTEM):
            entries = list(AuditEntry.objects.filter(action__startswith="killswitch."))
        told = {
            entry.action: (entry.principal, entry.user_id, entry.details["reason"])
            for entry in entries
            if entry.subject_id == str(switch.pk)
        }
        assert told == {
            "killswitch.ordered": ("staff:7", account.user_id, "A program ran wild."),
            "killswitch.lifted": ("staff:7", account.user_id, "It was stopped."),
        }

    def test_refused_orders_are_kept_with_the_rule(self, place, account):
        stop()
        with pytest.raises(risk.RiskRefused):
            place(buy(notional="100"))

        (order,) = orders_of(account)
        assert order.verdict["rule"] == "trading_halted"
