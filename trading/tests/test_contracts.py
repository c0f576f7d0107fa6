"""Contracts of a hundred shares: fills move as much as at the broker, and none is ordered here."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable
from trading import risk, services
from trading.models import LotClosing, Position, Proposal
from trading.services import books, lots
from trading.states import AfterHours, Source
from trading.tests import factories
from trading.tests.factories import buy, sell
from trading.tests.proposing import approve, propose
from trading.tests.stopping import lift, stop
from trading.tests.telling import books_tell, cash, event, now, tell
from trading.tests.test_lots import open_lots
from trading.tickets import Changes

pytestmark = pytest.mark.django_db
D = Decimal
CALL = "AAPL261218C00200000"
RULE = "contracts_not_traded"
AWAY = VendorUnavailable("fake", "refused")


def stands_for(instrument, multiplier):
    instrument.multiplier = D(multiplier)
    instrument.save(update_fields=["multiplier"])


@pytest.fixture
def call(account, broker, open_market):
    """An option of a hundred shares, which the account and the broker know as one."""
    instrument = factories.new_instrument(CALL, price="1.50", fractionable=False)
    stands_for(instrument, 100)
    broker.multipliers[CALL] = D(100)
    return instrument


@pytest.fixture
def ordered(call, account, broker):
    """Write an order down that the broker has, as none can be placed here."""
    return lambda ticket: factories.working_order(account, broker, ticket)


@pytest.fixture
def trade(ordered, broker):
    """Trade contracts at a price, as the broker then tells."""

    def trade(ticket, *, price):
        order = ordered(ticket)
        filled = broker.fill(str(order.pk), ticket.quantity, D(price))
        filled["at"] = datetime.now(UTC).isoformat()
        tell(filled)
        return factories.reload(order), filled

    return trade


def position_of(account):
    with acting_as(SYSTEM):
        return Position.objects.get(account_id=account.pk, symbol=CALL)


def gains_of(account):
    with acting_as(SYSTEM):
        closings = LotClosing.objects.filter(account_id=account.pk)
        return [(row.proceeds, row.basis, row.gain) for row in closings]


def is_as_the_broker_has_it(account, broker):
    [theirs] = broker.list_positions(broker_account_id=account.broker_account_id)
    ours = position_of(account)
    assert (ours.quantity, ours.average_entry_price, ours.cost_basis) == (
        theirs.quantity,
        theirs.average_entry_price,
        theirs.cost_basis,
    )
    assert factories.cash_of(account).cash == broker.cash
    return True


class TestAPurchase:
    def test_costs_a_hundred_times_the_price(self, trade, account, broker):
        trade(buy(CALL, quantity="2"), price="1.50")

        assert is_as_the_broker_has_it(account, broker)
        assert (position_of(account).cost_basis, broker.cash) == (D(300), D(700))
        assert cash(account)[0] == D(-300)
        assert open_lots(account) == [(D(2), D(300))]

    def test_moves_the_average_by_the_price_that_is_told(self, trade, account, broker):
        trade(buy(CALL, quantity="1"), price="1.50")
        trade(buy(CALL, quantity="3"), price="2.50")

        assert is_as_the_broker_has_it(account, broker)
        assert position_of(account).average_entry_price == D("2.25")

    def test_is_one_entry_whoever_tells_of_it(self, trade, account):
        order, _ = trade(buy(CALL, quantity="2"), price="1.50")
        books_tell(account, order, quantity="2", cumulative="2", price="150")

        assert cash(account)[0] == D(-300)

    def test_folded_anew_costs_the_same(self, trade, account):
        trade(buy(CALL, quantity="2"), price="1.50")

        with acting_as(SYSTEM):
            lots.refold(account.pk, account.user_id, [CALL])

        assert open_lots(account) == [(D(2), D(300))]


class TestASale:
    def test_gains_a_hundred_times_the_difference(self, trade, account, broker):
        trade(buy(CALL, quantity="3"), price="1.50")
        trade(sell(CALL, quantity="2"), price="1.75")

        assert is_as_the_broker_has_it(account, broker)
        assert gains_of(account) == [(D(350), D(300), D(50))]
        assert cash(account)[0] == D(-100)
        assert open_lots(account) == [(D(1), D(150))]


class TestACorrection:
    def test_that_busts_a_purchase_gives_all_of_it_back(self, trade, account):
        _, filled = trade(buy(CALL, quantity="2"), price="1.50")
        gone = {**filled["order"], "status": "new", "filled_qty": "0", "filled_avg_price": None}
        void = {"previous_execution_id": filled["execution_id"], "order": gone}

        tell(event(filled, "trade_bust", 70, execution_id="", price="", qty="", **void))

        assert cash(account)[0] == D(0)
        assert factories.cash_of(account).cash == D(1000)
        assert open_lots(account) == []

    def test_of_the_price_moves_a_hundred_times_the_difference(self, trade, account):
        _, filled = trade(buy(CALL, quantity="2"), price="1.50")
        right = {"previous_execution_id": filled["execution_id"], "execution_id": "right"}
        order = {**filled["order"], "filled_avg_price": "1.60"}

        tell(event(filled, "trade_correct", 71, price="1.60", order=order, **right))

        assert cash(account)[0] == D(-320)
        assert factories.cash_of(account).cash == D(680)
        assert position_of(account).cost_basis == D(320)
        assert open_lots(account) == [(D(2), D(320))]


class TestAReading:
    def test_of_a_fill_that_nobody_told_makes_the_same_lot(self, ordered, broker, account):
        order = ordered(buy(CALL, quantity="2"))
        broker.fill(str(order.pk), D(2), D("1.50"))

        services.heal_accounts(at=now())
        services.sync_holdings(account_id=account.pk, at=now())

        assert is_as_the_broker_has_it(account, broker)
        assert open_lots(account) == [(D(2), D(300))]

    def test_that_nearly_all_was_told_is_no_cent_of_contracts(self, ordered, broker, account):
        order = ordered(buy(CALL, quantity="2"))
        broker.fill(str(order.pk), D(2), D("0.004"))
        services.heal_accounts(at=now())
        books_tell(account, factories.reload(order), quantity="1", cumulative="1", price="0.40")

        books.confirm_untold(at=now())

        assert factories.reload(order).posted_quantity == D(1)


class TestAnOrder:
    @pytest.mark.parametrize(
        "ticket",
        [
            buy(CALL, quantity="1"),
            buy(CALL, quantity="1", limit_price="1.50"),
            sell(CALL, quantity="1"),
            buy(CALL, quantity="1", after_hours=AfterHours.QUEUE_FOR_OPEN),
        ],
        ids=["market", "limit", "sale", "for the open"],
    )
    def test_is_refused_before_anything_is_sent_or_held(self, call, place, account, broker, ticket):
        with pytest.raises(risk.RiskRefused) as caught:
            place(ticket)

        assert caught.value.extra["rule"] == RULE
        assert (broker.submitted, cash(account)) == ([], (D(0), D(0)))
        assert [order.is_refused for order in factories.orders_of(account)] == [True]

    @pytest.mark.parametrize("multiplier", ["0.5", "10", "1.0001"])
    def test_is_refused_whatever_one_stands_for(self, call, place, multiplier):
        stands_for(call, multiplier)

        with pytest.raises(risk.RiskRefused) as caught:
            place(buy(CALL, quantity="1"))

        assert caught.value.extra["rule"] == RULE

    def test_of_what_stands_for_one_passes(self, call, place, broker):
        stands_for(call, "1.0000")

        assert place(buy(CALL, quantity="1")).state == "ACCEPTED"

    def test_is_refused_over_http_with_the_rule_and_the_field(self, call, alice, account):
        body = {"account_id": str(account.pk), "ticker": CALL, "side": "BUY", "units": "1"}

        answer = alice.post("/api/trade", body, format="json")

        assert answer.status_code == 422, answer.content
        told = answer.json()
        assert (told["code"], told["rule"], list(told["field_errors"])) == (
            "risk_refused",
            RULE,
            ["ticker"],
        )

    def test_is_shown_as_refused_before_it_is_placed(self, call, account, broker):
        preview = services.preview_order(
            principal=factories.customer(),
            account_id=account.pk,
            ticket=buy(CALL, quantity="1"),
            at=now(),
        )

        assert preview.verdict.rule == RULE

    def test_is_refused_to_a_closure_too(self, call, account, broker):
        factories.set_closing(account, now())

        with pytest.raises(risk.RiskRefused) as caught:
            services.place_order(
                principal=SYSTEM,
                account_id=account.pk,
                ticket=sell(CALL, quantity="1"),
                request=None,
                at=now(),
                source=Source.CLOSURE,
            )

        assert (caught.value.extra["rule"], broker.submitted) == (RULE, [])

    def test_that_the_broker_has_is_not_replaced(self, ordered, account, broker):
        order = ordered(buy(CALL, quantity="2", limit_price="1.50"))

        with pytest.raises(risk.RiskRefused) as caught:
            services.replace_order(
                principal=factories.customer(),
                account_id=account.pk,
                order_id=order.pk,
                changes=Changes(limit_price=D("1.40")),
                request=None,
                at=now(),
            )

        assert (caught.value.extra["rule"], broker.replaced) == (RULE, [])
        assert factories.reload(order).vendor_status == "new"

    def test_that_waits_here_ends_when_it_has_become_known_as_one(
        self, call, place, account, broker
    ):
        stands_for(call, 1)
        broker.plan(AWAY)
        order = place(buy(CALL, quantity="1"))
        switch = stop()
        services.obey_switches(at=now())
        stands_for(call, 100)
        lift(switch)

        services.release_due(at=now())

        ended = factories.reload(order)
        assert (ended.state, ended.reason_code, broker.tickets) == ("CANCELED", RULE, {})


class TestAProposal:
    def test_of_contracts_is_not_made(self, call, account):
        with pytest.raises(risk.RiskRefused) as caught:
            propose(symbol=CALL, quantity=D(1))

        assert caught.value.extra["rule"] == RULE
        with acting_as(SYSTEM):
            assert not Proposal.objects.exists()

    def test_of_what_has_become_known_as_one_is_not_carried_out(self, call, account, broker):
        stands_for(call, 1)
        proposal = propose(symbol=CALL, quantity=D(1))
        stands_for(call, 100)

        with pytest.raises(risk.RiskRefused) as caught:
            approve(proposal)

        assert (caught.value.extra["rule"], broker.submitted) == (RULE, [])
        assert factories.orders_of(account) == []
