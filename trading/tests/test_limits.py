"""What the staff allows: limits, for everybody and for single accounts, and restricted symbols."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.apps import apps

from core.auth import SYSTEM, Kind, Principal, acting_as
from core.errors import Invalid, NotFound
from trading import risk, selectors
from trading.models import RestrictedSymbol, RiskLimit
from trading.services import limit_setting, restrictions
from trading.tests.factories import BOB, buy, new_account, sell

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
STAFF = Principal(kind=Kind.STAFF, key_id="ada@clera.test")


def set_limits(account=None, *, note="They asked.", **limits):
    return limit_setting.set_limits(
        staff=STAFF, account_id=account and account.pk, note=note, at=NOW, **limits
    )


def restrict(symbol="AAPL", side="", reason="An inquiry."):
    return restrictions.restrict(staff=STAFF, symbol=symbol, side=side, reason=reason, at=NOW)


def lift(row):
    return restrictions.lift_restriction(staff=STAFF, restriction_id=row.pk, at=NOW)


def limits_of(account=None):
    with acting_as(SYSTEM):
        return selectors.limits(account and account.pk)


def actions():
    with acting_as(SYSTEM):
        entries = apps.get_model("core", "AuditEntry").objects.all()
        return [entry.action for entry in entries if not entry.action.startswith("row.")]


class TestLimits:
    def test_are_those_of_the_settings_until_somebody_sets_others(self, account, settings):
        settings.ORDER_MAX_NOTIONAL = Decimal(777)
        settings.ORDER_STEP_UP_NOTIONAL = Decimal(55)

        found = limits_of(account)

        assert (found.max_notional, found.step_up_notional) == (Decimal(777), Decimal(55))
        assert set(found.origins.values()) == {"settings"}

    def test_of_an_account_come_before_those_of_everybody_each_by_itself(self, account):
        set_limits(max_notional=Decimal(500), daily_orders=7, collar=Decimal("0.05"))
        set_limits(account, max_notional=Decimal(90_000), open_orders=2)

        found = limits_of(account)

        assert (found.max_notional, found.daily_orders, found.open_orders) == (90_000, 7, 2)
        assert found.collar == Decimal("0.05")
        origins = {name: found.origins[name] for name in ("max_notional", "daily_orders")}
        assert origins == {"max_notional": "account", "daily_orders": "everybody"}
        assert found.origins["max_quantity"] == "settings"

    def test_of_one_account_are_no_others(self, account):
        set_limits(account, max_notional=Decimal(5))

        assert limits_of(new_account(BOB)).origins["max_notional"] == "settings"
        assert limits_of().origins["max_notional"] == "settings"

    def test_hold_from_the_next_order_on(self, account, broker, place):
        set_limits(account, max_notional=Decimal(10))

        with pytest.raises(risk.RiskRefused) as refusal:
            place(buy(notional="10.01"))

        assert refusal.value.extra["rule"] == "above_maximum"
        assert place(buy(notional="10.00")).is_accepted

    def test_are_read_in_one_statement(self, account, django_assert_num_queries):
        set_limits(max_notional=Decimal(500))
        set_limits(account, max_notional=Decimal(90))

        with acting_as(SYSTEM), django_assert_num_queries(1):
            selectors.limits(account.pk)

    def test_that_are_set_again_take_the_place_of_the_old_ones(self, account):
        set_limits(account, max_notional=Decimal(10), daily_orders=3)
        set_limits(account, daily_orders=4)
        set_limits(daily_orders=9)
        set_limits(open_orders=9)

        assert limits_of(account).daily_orders == 4
        assert limits_of(account).origins["max_notional"] == "settings"
        assert limits_of().origins["daily_orders"] == "settings"
        assert RiskLimit.objects.count() == 2

    def test_leave_a_trace_of_who_and_why(self, account):
        limit = set_limits(account, max_notional=Decimal(10), note="  By phone. ")

        assert (limit.note, limit.set_by, limit.user_id) == (
            "By phone.",
            STAFF.name,
            account.user_id,
        )
        assert actions() == ["risk_limit.set"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("max_notional", Decimal(0)),
            ("max_notional", Decimal(-5)),
            ("max_notional", Decimal("NaN")),
            ("max_notional", Decimal("1.005")),
            ("max_notional", Decimal("1E+12")),
            ("max_quantity", Decimal(0)),
            ("max_quantity", Decimal("1E-10")),
            ("daily_notional", Decimal("-0.01")),
            ("daily_orders", 0),
            ("daily_orders", -1),
            ("open_orders", 1_000_001),
            ("collar", Decimal(0)),
            ("collar", Decimal("1.0001")),
            ("collar", Decimal("0.00001")),
            ("concentration", Decimal(-1)),
            ("concentration", Decimal("Infinity")),
            ("step_up_notional", Decimal(0)),
        ],
    )
    def test_that_are_none_are_refused_by_name(self, account, field, value):
        with pytest.raises(Invalid) as refusal:
            set_limits(account, **{field: value})

        assert list(refusal.value.field_errors) == [field]
        assert not RiskLimit.objects.exists()
        assert actions() == []

    def test_need_a_reason(self, account):
        with pytest.raises(Invalid) as refusal:
            set_limits(account, max_notional=Decimal(5), note="  ")

        assert list(refusal.value.field_errors) == ["note"]

    def test_of_nobody_are_not_found(self, db):
        with pytest.raises(NotFound):
            limit_setting.set_limits(
                staff=STAFF, account_id=uuid4(), max_notional=Decimal(5), note="x", at=NOW
            )


class TestRestrictions:
    @pytest.mark.parametrize(
        ("side", "buys", "sells"), [("", False, False), ("BUY", False, True), ("SELL", True, False)]
    )
    def test_hold_for_the_side_they_name(self, account, side, buys, sells):
        restrict(side=side)

        assert self.passes(account, buy(notional="10")) == buys
        assert self.passes(account, sell(quantity="1")) == sells
        assert self.passes(account, buy("MSFT", notional="10"))

    def test_end_when_they_are_lifted_and_stay_as_history(self, account):
        row = restrict()
        lift(row)

        assert self.passes(account, buy(notional="10"))
        (kept,) = RestrictedSymbol.objects.all()
        assert (kept.set_by, kept.lifted_by) == (STAFF.name, STAFF.name)
        assert actions() == ["symbol.restricted", "symbol.unrestricted"]
        with pytest.raises(restrictions.RestrictionLifted):
            lift(row)

    def test_stand_once(self, account):
        first = restrict(" aapl ")

        with pytest.raises(restrictions.AlreadyRestricted):
            restrict("AAPL")

        assert first.symbol == "AAPL"
        assert restrict("AAPL", side="BUY").side == "BUY"
        lift(first)
        assert restrict("AAPL").pk != first.pk

    @pytest.mark.parametrize(
        ("field", "given"),
        [("symbol", {"symbol": "A B"}), ("side", {"side": "BOTH"}), ("reason", {"reason": " "})],
    )
    def test_that_make_no_sense_are_refused_by_name(self, db, field, given):
        with pytest.raises(Invalid) as refusal:
            restrict(**given)

        assert list(refusal.value.field_errors) == [field]
        assert not RestrictedSymbol.objects.exists()

    def test_of_unknown_number_are_not_found(self, db):
        with pytest.raises(NotFound):
            restrictions.lift_restriction(staff=STAFF, restriction_id=uuid4(), at=NOW)

    def passes(self, account, ticket):
        view = selectors.MarketView(instrument=None, quote=None)
        with acting_as(SYSTEM):
            return selectors.facts_for(account, ticket, view, at=NOW).restriction is None
