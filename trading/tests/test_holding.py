"""An order taken while the market is closed is sent once when it opens, or not at all."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.apps import apps

from core import realtime
from core.auth import SYSTEM, acting_as
from core.errors import Invalid, VendorUnclear
from ledger import selectors as ledger
from market import frames
from market.tests import exchange
from trading import risk, services
from trading.models import Position, Proposal
from trading.services import holding, switches
from trading.states import AfterHours, OrderType, TimeInForce
from trading.tests.factories import (
    buy,
    customer,
    fund,
    new_account,
    new_instrument,
    orders_of,
    pass_time,
    reload,
    sell,
)

pytestmark = pytest.mark.django_db
FRIDAY_EVENING = "2026-03-06T18:00:00-05:00"
MONDAY_OPENING = "2026-03-09T09:30:00-04:00"
JUST_AFTER = "2026-03-09T09:30:02-04:00"


@pytest.fixture
def market(db, prices):
    with exchange.market(date(2024, 12, 1), date(2027, 1, 31)) as market:
        yield market


@pytest.fixture
def account(market):
    new_instrument("AAPL")
    realtime.connection().delete(frames.SNAPSHOT_KEY)  # its price is what the data vendor says
    account = new_account()
    fund(account)
    market.go_to(FRIDAY_EVENING)
    return account


@pytest.fixture
def place(account, market, broker):
    def place(ticket, policy=AfterHours.QUEUE_FOR_OPEN):
        return services.place_order(
            principal=customer(account.user_id),
            account_id=account.pk,
            ticket=replace(ticket, after_hours=policy),
            request=None,
            at=market.now,
        )

    return place


def moment(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def held_for(account):
    with acting_as(SYSTEM):
        return ledger.cash_of(account_id=account.pk).held


def proposals():
    with acting_as(SYSTEM):
        return list(Proposal.objects.all())


def state_of(order):
    order = reload(order)
    return order.state, order.reason_code


class TestQueueing:
    @pytest.mark.parametrize(
        ("placed_at", "opens_at"),
        [
            # The clocks of New York go forward on Sunday: an hour earlier in UTC than on Friday.
            (FRIDAY_EVENING, "2026-03-09T13:30:00+00:00"),
            ("2026-03-09T08:00:00-04:00", "2026-03-09T13:30:00+00:00"),
            # Good Friday and the weekend after it.
            ("2026-04-02T20:00:00-04:00", "2026-04-06T13:30:00+00:00"),
            # Thanksgiving, the half day after it, and the weekend after that.
            ("2026-11-25T17:00:00-05:00", "2026-11-27T14:30:00+00:00"),
            ("2026-11-26T12:00:00-05:00", "2026-11-27T14:30:00+00:00"),
            ("2026-11-27T13:00:01-05:00", "2026-11-30T14:30:00+00:00"),
        ],
    )
    def test_an_order_waits_for_the_next_session(self, market, place, placed_at, opens_at):
        market.go_to(placed_at)

        order = place(buy(notional="100"))

        assert (order.state, order.held_for) == ("HELD", "OPEN")
        assert (order.opens_at, order.held_price) == (moment(opens_at), Decimal(100))

    def test_the_broker_hears_nothing_and_the_money_is_held(self, account, place, broker):
        order = place(buy(notional="100"))

        assert broker.submitted == []
        assert (order.reserved_cash, held_for(account)) == (Decimal(100), Decimal(100))

    def test_a_half_day_is_open_until_it_ends(self, market, place, broker):
        market.go_to("2026-11-27T12:59:00-05:00")

        assert place(buy(notional="100")).state == "ACCEPTED"

    def test_its_owner_hears_of_it(self, market, account, place):
        place(buy(notional="100"))
        services.release_due(at=market.go_to(JUST_AFTER, price="110"))

        with acting_as(SYSTEM):
            events = apps.get_model("accounts", "AccountEvent").objects.filter(account=account.pk)
            told = [
                event.payload["state"]
                for event in events.order_by("seq")
                if event.kind == "order.updated"
            ]
        assert told == ["HELD", "CANCELED"]

    def test_nothing_that_waits_is_given_up_or_sent_by_a_sweep(self, market, place, broker):
        order = place(buy(notional="100"))
        pass_time(3600)

        services.sweep_orders(at=market.now)
        counts = services.release_due(at=market.now)

        assert (reload(order).state, broker.submitted, counts) == ("HELD", [], {})

    def test_what_waits_counts_against_what_can_be_spent(self, place, account):
        place(buy(notional="900"))

        with pytest.raises(risk.RiskRefused) as error:
            place(buy(notional="101"))

        assert error.value.extra["rule"] == "insufficient_buying_power"

    def test_it_can_be_canceled_while_it_waits(self, market, account, place, broker):
        order = place(buy(notional="100"))

        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=order.pk, at=market.now
        )

        assert (reload(order).state, reload(order).held_for) == ("CANCELED", "")
        assert (held_for(account), broker.submitted) == (Decimal(0), [])
        assert services.release_due(at=market.go_to(JUST_AFTER)) == {}


class TestOpening:
    def test_it_is_sent_once(self, market, place, broker, account):
        order = place(buy(notional="100"))
        market.go_to(JUST_AFTER)

        first = services.release_due(at=market.now)
        again = services.release_due(at=market.now)

        assert (first, again) == ({"sent": 1}, {})
        assert broker.submitted == [str(order.pk)]
        assert (reload(order).state, held_for(account)) == ("ACCEPTED", Decimal(100))

    def test_a_second_before_it_is_not(self, market, place, broker):
        place(buy(notional="100"))
        market.go_to("2026-03-09T09:29:59-04:00")

        assert services.release_due(at=market.now) == {}

    def test_a_day_that_turns_out_to_be_off_moves_it_on(self, market, account, place, broker):
        market.go_to("2025-01-08T17:00:00-05:00")
        order = place(buy(notional="100"))
        assert order.opens_at == moment("2025-01-09T09:30:00-05:00")
        market.exchange.surprises.add(date(2025, 1, 9))  # a day of mourning
        market.go_to("2025-01-09T09:30:02-05:00")

        assert services.release_due(at=market.now) == {"later": 1}
        assert (reload(order).state, reload(order).opens_at) == (
            "HELD",
            moment("2025-01-10T09:30:00-05:00"),
        )
        assert broker.submitted == []

        pass_time(6)
        market.go_to("2025-01-10T09:30:02-05:00")
        assert services.release_due(at=market.now) == {"sent": 1}
        assert broker.submitted == [str(order.pk)]

    def test_an_opening_that_is_put_off_is_waited_for_on_the_same_day(self, market, place, broker):
        order = place(buy(notional="100"))
        late = moment("2026-03-09T11:00:00-04:00")
        day = market.exchange.days[date(2026, 3, 9)]
        market.exchange.days[date(2026, 3, 9)] = replace(day, opens_at=late)
        market.go_to(JUST_AFTER)

        services.release_due(at=market.now)

        assert reload(order).opens_at == late

    def test_without_a_price_of_this_session_it_waits(self, market, place, broker):
        order = place(buy(notional="100"))
        market.go_to(JUST_AFTER)
        quoted = market.data.found["AAPL"]
        before = market.now - timedelta(seconds=3)
        market.data.found["AAPL"] = replace(quoted, last_at=before, quoted_at=before)

        assert services.release_due(at=market.now) == {"later": 1}
        assert (reload(order).state, broker.submitted) == ("HELD", [])

        pass_time(6)
        assert services.release_due(at=market.go_to("2026-03-09T09:30:09-04:00")) == {"sent": 1}

    def test_what_costs_more_by_now_holds_more(self, market, place, broker, account):
        order = place(buy(quantity="2"))
        market.go_to(JUST_AFTER, price="104")

        services.release_due(at=market.now)

        assert reload(order).state == "ACCEPTED"
        assert (reload(order).reserved_cash, held_for(account)) == (Decimal(208), Decimal(208))

    def test_killed_after_the_decision_it_is_sent_by_the_sweep_once(self, market, place, broker):
        order = place(buy(notional="100"))
        market.go_to(JUST_AFTER)
        view = holding.selectors.look_at_market(symbol="AAPL", at=market.now)
        assert holding._settle(order, view, trusts_holdings=False, at=market.now) == "sent"
        assert reload(order).state == "PENDING"  # and here the process dies

        pass_time(5)
        services.sweep_orders(at=market.now)
        services.release_due(at=market.now)

        assert (reload(order).state, broker.submitted) == ("ACCEPTED", [str(order.pk)])

    def test_an_order_that_waited_long_is_not_taken_for_a_stale_one(self, market, place, broker):
        order = place(buy(notional="100"))
        pass_time(3 * 24 * 3600)
        market.go_to(JUST_AFTER)
        broker.plan(VendorUnclear("alpaca", "no answer"), is_done=True)

        services.release_due(at=market.now)
        assert reload(order).state == "UNKNOWN"
        services.sweep_orders(at=market.now)

        assert reload(order).state == "ACCEPTED"


class TestLapsing:
    @pytest.mark.parametrize(
        ("price", "outcome"),
        [("105", "sent"), ("95", "sent"), ("105.01", "lapsed"), ("94.99", "lapsed")],
    )
    def test_a_price_more_than_five_per_cent_away_ends_it(self, market, place, price, outcome):
        place(buy(notional="100"))
        market.go_to(JUST_AFTER, price=price)

        assert services.release_due(at=market.now) == {outcome: 1}
        assert len(proposals()) == (outcome == "lapsed")

    def test_its_money_is_free_again_and_it_is_suggested_anew(self, market, account, place, broker):
        order = place(buy(notional="100"))
        market.go_to(JUST_AFTER, price="110")

        services.release_due(at=market.now)

        assert state_of(order) == ("CANCELED", "queue_gap")
        assert (held_for(account), reload(order).reserved_cash, broker.submitted) == (0, 0, [])
        (proposal,) = proposals()
        assert (proposal.origin, proposal.state, proposal.user_id) == (
            "LAPSED",
            "PENDING",
            account.user_id,
        )

    def test_more_than_five_days_end_it(self, market, account, place, broker):
        order = place(buy(notional="100"))
        pass_time(5 * 24 * 3600 + 1)
        market.go_to(JUST_AFTER)

        services.release_due(at=market.now)

        assert state_of(order) == ("CANCELED", "queue_stale")
        assert (len(proposals()), broker.submitted) == (1, [])

    def test_what_is_against_the_rules_by_now_ends_and_is_not_suggested(
        self, market, account, place, broker
    ):
        fund(account, positions={"AAPL": "3"})
        order = place(sell(quantity="3"))
        with acting_as(SYSTEM):
            Position.objects.all().delete()
        market.go_to(JUST_AFTER)

        services.release_due(at=market.now)

        assert state_of(order) == ("CANCELED", "insufficient_quantity")
        assert (proposals(), broker.submitted) == ([], [])

    def test_a_kill_switch_is_waited_out(self, market, account, place, broker):
        order = place(buy(notional="100"))
        switch = switches.order_stop(
            staff=SYSTEM, scope="GLOBAL", target="", reason="x", cancels_open=False, at=market.now
        )
        market.go_to(JUST_AFTER)
        assert services.release_due(at=market.now) == {}
        assert reload(order).state == "HELD"

        switches.lift(staff=SYSTEM, switch_id=switch.pk, reason="y", at=market.now)
        assert services.release_due(at=market.now) == {"sent": 1}
        assert broker.submitted == [str(order.pk)]


class TestWithTheBroker:
    def test_a_market_order_becomes_a_limit_that_works_until_canceled(self, market, place, broker):
        market.go_to(FRIDAY_EVENING, price="33.333")
        order = place(buy(quantity="2"), AfterHours.BROKER_LIMIT_GTC)

        (ticket,) = broker.tickets.values()
        assert order.state == "ACCEPTED"
        assert (ticket.order_type, ticket.time_in_force) == (OrderType.LIMIT, TimeInForce.GTC)
        assert ticket.limit_price == Decimal("33.66")  # 33.66633, and never more

    def test_a_sale_gives_way_downwards(self, market, place, broker, account):
        fund(account, positions={"AAPL": "2"})
        market.go_to(FRIDAY_EVENING, price="0.5")
        place(sell(quantity="2"), AfterHours.BROKER_LIMIT_GTC)

        (ticket,) = broker.tickets.values()
        assert ticket.limit_price == Decimal("0.495")

    @pytest.mark.parametrize(
        ("size", "field"),
        [({"notional": "100"}, "notional_amount"), ({"quantity": "0.5"}, "units")],
    )
    def test_it_takes_whole_shares(self, place, account, broker, size, field):
        with pytest.raises(Invalid) as error:
            place(buy(**size), AfterHours.BROKER_LIMIT_GTC)

        assert list(error.value.field_errors) == [field]
        assert (orders_of(account), broker.submitted) == ([], [])

    def test_while_the_market_is_open_it_is_an_order_like_any_other(self, market, place, broker):
        market.go_to("2026-03-06T12:00:00-05:00")

        place(buy(notional="100"), AfterHours.BROKER_LIMIT_GTC)

        (ticket,) = broker.tickets.values()
        assert ticket.order_type == OrderType.MARKET
