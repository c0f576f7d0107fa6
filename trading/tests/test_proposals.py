"""All that an agent may do about trading is to suggest."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import ProgrammingError

from core.auth import SYSTEM, acting_as
from core.errors import Invalid, NotFound
from trading.models import Approval, Order, Proposal
from trading.risk import RiskRefused
from trading.tests import factories
from trading.tests.factories import customer, orders_of, reload
from trading.tests.proposing import propose

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(account, broker):
    return propose()


class TestProposing:
    def test_orders_nothing(self, proposal, account, broker):
        assert (orders_of(account), broker.submitted) == ([], [])
        assert proposal.state == "PENDING"

    def test_shows_the_quote_its_band_and_a_sentence_made_from_the_columns(self, proposal):
        assert (proposal.quote_price, proposal.price_low, proposal.price_high) == (
            Decimal(100),
            Decimal(99),
            Decimal(101),
        )
        assert proposal.text == (
            "BUY $100.00 of AAPL at the market price, as long as it is $99.00 to $101.00."
        )
        assert proposal.hash == proposal.fingerprint()

    def test_speaks_of_shares_too(self, account, broker):
        assert propose(quantity=Decimal("1.5")).text.startswith("BUY 1.5 shares of AAPL at")
        assert propose("call-2", quantity=Decimal(1)).text.startswith("BUY 1 share of AAPL at")

    def test_the_same_tool_call_gives_the_same_proposal(self, proposal, account):
        again = propose(notional=Decimal(999), side="SELL")

        assert again == proposal
        assert (again.notional, again.side) == (Decimal(100), "BUY")
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
            {"notional": Decimal(10), "side": "SHORT"},
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
                proposal=p, user_id=p.user_id, approved_by="x", hash="x", text="x", price=1
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
