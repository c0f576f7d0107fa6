"""All that an agent may do about trading is to suggest."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import ProgrammingError

from core.auth import SYSTEM, acting_as
from core.errors import Invalid, NotFound
from trading import approvals, proposals, selectors
from trading.models import Approval, ApprovedLine, Order, Proposal, ProposalLine
from trading.risk import RiskRefused
from trading.services import proposing
from trading.states import OrderType, ProposalOrigin, Side
from trading.tests import factories
from trading.tests.factories import buy, customer, orders_of, reload, sell
from trading.tests.proposing import approve, feed_of, now, propose, tamper, whole

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(account, broker):
    return propose()


class TestProposing:
    def test_orders_nothing(self, proposal, account, broker):
        assert (orders_of(account), broker.submitted) == ([], [])
        assert proposal.state == "PENDING"

    def test_shows_the_quote_its_band_and_words_made_from_the_columns(self, proposal, account):
        (line,) = proposal.in_order
        assert (line.quote_price, line.price_low, line.price_high, line.estimated_value) == (
            Decimal(100),
            Decimal(99),
            Decimal(101),
            Decimal(100),
        )
        assert proposal.text.splitlines() == [
            "• BUY $100.00 of AAPL at the market price, good for the day",
            f"• Current Price: $100.00 on {line.quote_as_of:%Y-%m-%d at %H:%M:%S} UTC",
            "• Good while the price is $99.00 to $101.00",
            "• Estimated Total: BUY $100.00",
            f"• Trading Account: •••• {account.account_number[-4:]}",
            f"• Good Until: {proposal.expires_at:%Y-%m-%d at %H:%M:%S} UTC",
            *(f"• Warning: {warning}" for warning in proposal.warnings),
        ]
        assert proposal.hash == whole(proposal).fingerprint()

    def test_speaks_of_shares_too(self, account, broker):
        assert "• BUY 1.5 shares of AAPL at" in propose(quantity=Decimal("1.5")).text
        assert "• BUY 1 share of AAPL at" in propose("call-2", quantity=Decimal(1)).text

    def test_keeps_what_each_line_was_judged_by(self, proposal):
        (line,) = whole(proposal).in_order

        assert (line.verdict["allowed"], line.verdict["facts"]["spendable"]) == (True, "1000.00")

    def test_the_same_tool_call_gives_the_same_proposal(self, proposal, account):
        again = propose(notional=Decimal(999), side=Side.SELL)

        assert again == proposal
        (line,) = again.in_order
        assert (line.notional, line.side) == (Decimal(100), "BUY")
        with acting_as(SYSTEM):
            assert Proposal.objects.count() == 1

    def test_expires_five_minutes_later_by_the_databases_clock(self, proposal):
        lifetime = proposal.expires_at - proposal.created_at
        assert round(lifetime.total_seconds()) == 300

    def test_what_would_be_refused_is_not_proposed(self, account, broker):
        with pytest.raises(RiskRefused) as refusal:
            propose(notional=Decimal("1000.01"))
        assert refusal.value.extra["rule"] == "insufficient_buying_power"

    @pytest.mark.parametrize(
        "wish",
        [
            {"notional": Decimal(10), "quantity": Decimal(1)},
            {"notional": Decimal("NaN")},
            {"quantity": Decimal(-1)},
            {"notional": Decimal(10), "limit_price": Decimal(90)},
            {"notional": Decimal(10), "symbol": "AAPL\u0406"},
        ],
    )
    def test_what_makes_no_sense_is_not_proposed(self, account, broker, wish):
        with pytest.raises(Invalid):
            propose(**wish)

    def test_a_customer_without_an_account_gets_none(self, apple):
        with pytest.raises(NotFound):
            propose(principal=customer("nobody"))

    def test_nobody_proposes_for_another_customers_account(self, account, broker):
        with pytest.raises(NotFound):
            propose(principal=customer("bob-sub"), account_id=account.pk, notional=Decimal(5))

    def test_of_any_kind_carry_every_price(self, account, broker):
        wish = {
            "quantity": Decimal(2),
            "order_type": OrderType.STOP_LIMIT,
            "stop_price": Decimal("101.50"),
            "limit_price": Decimal(102),
        }

        (line,) = propose(**wish).in_order

        assert {name: getattr(line.ticket, name) for name in wish} == wish
        assert line.price_low == Decimal(99)


def several(account, *tickets, origin=ProposalOrigin.REBALANCE, proposal_id=None):
    return proposals.propose(
        account_id=account.pk,
        lines=tickets,
        source=proposals.Source(proposal_id=proposal_id or uuid4(), origin=origin),
        at=now(),
    )


class TestSeveralOrders:
    @pytest.fixture
    def shares(self, account, broker):
        factories.new_instrument("MSFT", price="400")
        factories.fund(account, cash="1000.00", positions={"AAPL": "3"})

    def test_are_shown_together_with_their_total(self, account, broker, shares):
        proposal = several(account, sell(quantity="2"), buy("MSFT", notional="300"))

        assert proposal.run_id is None
        assert "• SELL 2 shares of AAPL at the market price, good for the day" in proposal.text
        assert "• BUY $300.00 of MSFT at the market price, good for the day" in proposal.text
        assert "• Estimated Total: BUY $300.00, SELL $200.00" in proposal.text
        assert proposal.estimated_total == Decimal(500)

    def test_are_judged_as_if_those_before_were_placed(self, account, broker, shares):
        with pytest.raises(RiskRefused) as refusal:
            several(account, buy("MSFT", notional="600"), buy(notional="600"))
        assert refusal.value.extra["rule"] == "insufficient_buying_power"

        with pytest.raises(RiskRefused) as refusal:
            several(account, sell(quantity="2"), sell(quantity="2"))
        assert refusal.value.extra["rule"] == "insufficient_quantity"
        with acting_as(SYSTEM):
            assert not ProposalLine.objects.exists()

    @pytest.mark.parametrize(
        ("limits", "rule"),
        [
            ({"ORDER_DAILY_NOTIONAL": Decimal(150)}, "daily_notional"),
            ({"ORDER_DAILY_COUNT": 1}, "daily_orders"),
            ({"ORDER_OPEN_COUNT": 1}, "open_orders"),
            ({"ORDER_CONCENTRATION": Decimal("0.3")}, "concentration"),
        ],
    )
    def test_are_together_within_every_limit(self, account, shares, settings, limits, rule):
        for name, limit in limits.items():
            setattr(settings, name, limit)
        several(account, buy("MSFT", notional="90"))

        with pytest.raises(RiskRefused) as refusal:
            several(account, *[buy("MSFT", notional=each) for each in ("90", "91", "300")])

        assert refusal.value.extra["rule"] == rule

    def test_are_not_for_both_sides_of_a_symbol(self, account, broker, shares):
        with pytest.raises(RiskRefused) as refusal:
            several(account, buy(notional="50"), sell(quantity="1"))

        assert refusal.value.extra["rule"] == "wash_trade"

    @pytest.mark.parametrize("count", [0, 21])
    def test_are_one_to_twenty(self, account, broker, shares, count):
        with pytest.raises(Invalid):
            several(account, *[buy(notional="1")] * count)

    def test_of_a_known_id_are_not_mixed_with_others(self, account, broker, shares):
        first = several(account, buy(notional="10"))

        again = several(account, buy(notional="10"), buy(notional="20"), proposal_id=first.pk)

        assert [line.notional for line in again.in_order] == [Decimal(10)]


class TestARunawayProgram:
    def test_fills_the_customers_list_to_a_limit(self, account, broker, settings):
        settings.PROPOSALS_PENDING = 2
        first = propose("call-1")
        propose("call-2")

        with pytest.raises(proposals.TooManyProposals):
            propose("call-3")

        tamper(first, state="REJECTED")
        assert propose("call-3").state == "PENDING"
        factories.new_account("bob-sub")
        assert propose("call-1", principal=customer("bob-sub"), run_id=uuid4()).state == "PENDING"

    def test_makes_only_so_many_in_an_hour(self, account, broker, settings):
        settings.PROPOSALS_HOURLY = 2
        for call in ("call-1", "call-2"):
            tamper(propose(call), state="REJECTED")

        with pytest.raises(proposals.TooManyProposals):
            propose("call-3")

    def test_is_told_the_known_one_again(self, proposal, settings):
        settings.PROPOSALS_PENDING = 1

        assert propose() == proposal


class TestAnOrderLeftBehind:
    """One that waited for the market until it was no longer what its customer wished for."""

    @pytest.fixture
    def order(self, place, broker):
        return place(buy(notional="50"))

    def propose_anew(self, order):
        view = selectors.look_at_market(symbol=order.symbol, at=now())
        with acting_as(SYSTEM):
            return proposing.propose_anew(order, view, at=now())

    def test_is_proposed_to_its_customer_at_todays_price_once(self, order, account):
        factories.new_instrument("AAPL", price="120")

        proposal = self.propose_anew(order)

        assert self.propose_anew(order) == proposal
        (line,) = whole(proposal).in_order
        assert (proposal.origin, line.ticket, line.quote_price) == (
            "LAPSED",
            order.ticket,
            Decimal(120),
        )
        assert (proposal.expires_at - proposal.created_at).total_seconds() > 23 * 3600
        assert approve(proposal).orders[0].source == "PROPOSAL"

    def test_is_news_on_the_accounts_feed(self, order, account):
        proposal = self.propose_anew(order)

        news = feed_of(account, "proposal.created")
        assert [each["proposal_id"] for each in news] == [str(proposal.pk)]
        assert (news[0]["origin"], news[0]["symbols"]) == ("LAPSED", ["AAPL"])

    def test_is_not_proposed_when_it_would_be_refused(self, order, account):
        factories.fund(account, cash="1")

        assert self.propose_anew(order) is None
        assert feed_of(account, "proposal.created") == []


class TestTheAgentsDatabaseRole:
    def test_may_propose(self, account, broker):
        with factories.role("clera_agents"):
            proposal = propose()

        assert reload(proposal).state == "PENDING"

    @pytest.mark.parametrize(
        "write",
        [
            lambda p: Proposal.objects.filter(pk=p.pk).update(state="APPROVED"),
            lambda p: Proposal.objects.filter(pk=p.pk).delete(),
            lambda p: Approval.objects.create(
                proposal=p, user_id=p.user_id, approved_by="x", hash="x", text="x"
            ),
            lambda p: ProposalLine.objects.filter(proposal=p).update(notional=Decimal(999)),
            lambda p: ProposalLine.objects.filter(proposal=p).delete(),
            lambda p: ApprovedLine.objects.create(
                line=p.in_order[0],
                user_id=p.user_id,
                approval_id=uuid4(),
                order_id=uuid4(),
                price=1,
            ),
            lambda p: Order.objects.create(
                user_id=p.user_id,
                account_id=p.account_id,
                symbol="AAPL",
                side="BUY",
                order_type="MARKET",
                time_in_force="DAY",
                notional=Decimal(1),
            ),
        ],
    )
    def test_may_not_decide_or_order(self, proposal, account, write):
        with (
            factories.role("clera_agents"),
            pytest.raises(ProgrammingError, match="permission denied"),
            acting_as(customer()),
        ):
            write(proposal)

        assert (reload(proposal).state, orders_of(account)) == ("PENDING", [])

    def test_may_add_a_line_that_no_approval_will_count(self, proposal, account):
        line = whole(proposal).in_order[0]
        line.pk, line.position = uuid4(), 2
        with factories.role("clera_agents"), acting_as(customer()):
            line.save(force_insert=True)

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal)
        assert orders_of(account) == []

    def test_may_not_propose_to_another_customer(self, proposal, account):
        other = factories.new_account("bob-sub")
        stolen = reload(proposal)
        stolen.pk, stolen.user_id, stolen.account_id = uuid4(), "bob-sub", other.pk
        stolen.tool_call_id = "call-9"

        with (
            factories.role("clera_agents"),
            pytest.raises(ProgrammingError, match="row-level security"),
            acting_as(customer()),
        ):
            stolen.save(force_insert=True)
