"""A model proposes; only the customer's own request disposes, once."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from core.auth import SYSTEM, Principal, acting_as
from core.errors import NotFound, VendorRejected, VendorUnclear
from core.events import subscribe
from ledger.tests import invariants as ledger_invariants
from trading import approvals, proposals, services
from trading.events import ProposalSettled
from trading.models import Approval, ApprovedLine, Order, Proposal, ProposalLine
from trading.risk import RiskRefused
from trading.services import limit_setting
from trading.states import ProposalOrigin
from trading.tests import factories
from trading.tests.factories import buy, customer, orders_of, reload, sell
from trading.tests.proposing import (
    RUN,
    approve,
    feed_of,
    now,
    propose,
    whole,
)

pytestmark = pytest.mark.django_db
heard: list[object] = []
subscribe(ProposalSettled, heard.append)


@pytest.fixture
def proposal(account, broker):
    return propose()


@pytest.fixture
def basket(account, broker):
    """Two orders, for which there is money and there are shares."""
    factories.new_instrument("MSFT", price="400")
    factories.fund(account, cash="1000.00", positions={"AAPL": "3"})
    return proposals.propose(
        account_id=account.pk,
        lines=[sell(quantity="2"), buy("MSFT", notional="300")],
        source=proposals.Source(proposal_id=uuid4(), origin=ProposalOrigin.REBALANCE),
        at=now(),
    )


class TestApproving:
    def test_places_exactly_the_proposed_order_once(self, proposal, account, broker):
        approved = approve(proposal)

        (order,) = orders_of(account)
        assert (approved.state, approved.orders) == ("APPROVED", [order])
        assert broker.submitted == [str(order.pk)]
        assert broker.tickets[str(order.pk)] == proposal.in_order[0].ticket
        assert (order.is_accepted, order.source) == (True, "PROPOSAL")

    def test_keeps_who_approved_what_at_which_price(self, proposal):
        (order,) = approve(proposal, principal=replace(customer(), aal="aal2")).orders

        with acting_as(SYSTEM):
            approval = Approval.objects.get(proposal=proposal)
            line = ApprovedLine.objects.get(approval=approval)
        assert (approval.approved_by, approval.assurance, approval.hash, approval.text) == (
            "customer:alice-sub",
            "aal2",
            proposal.hash,
            proposal.text,
        )
        assert (line.order_id, line.price) == (order.pk, Decimal(100))

    def test_a_second_approval_is_told_so_and_orders_nothing(self, proposal, account, broker):
        (order,) = approve(proposal).orders

        with pytest.raises(approvals.ProposalOver) as error:
            approve(proposal)

        assert error.value.extra == {"state": "APPROVED", "order_ids": [str(order.pk)]}
        assert (len(orders_of(account)), len(broker.submitted)) == (1, 1)

    def test_tells_whoever_waits_for_it(self, proposal, django_capture_on_commit_callbacks):
        heard.clear()
        with django_capture_on_commit_callbacks(execute=True):
            approve(proposal)

        assert heard == [ProposalSettled(proposal.pk, RUN)]

    def test_an_unsure_broker_leaves_the_order_to_the_sweep(self, proposal, account, broker):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)

        (order,) = approve(proposal).orders
        assert order.state == "UNKNOWN"

        services.sweep_orders(at=now())
        assert reload(order).state == "ACCEPTED"
        assert len(broker.submitted) == 1

    def test_a_broker_that_says_no_spends_the_proposal(self, proposal, account, broker):
        broker.plan(VendorRejected("fake", "not today", vendor_code="403"))

        with pytest.raises(services.OrderRejected):
            approve(proposal)

        assert reload(proposal).state == "APPROVED"
        assert [order.state for order in orders_of(account)] == ["REJECTED"]

    def test_a_rule_that_says_no_records_nothing_but_the_verdict(self, proposal, account, broker):
        factories.fund(account, cash="99.99")

        with pytest.raises(RiskRefused):
            approve(proposal)

        kept = reload(proposal)
        assert (kept.state, orders_of(account), broker.submitted) == ("PENDING", [], [])
        assert (kept.refusal["position"], kept.refusal["verdict"]["rule"]) == (
            1,
            "insufficient_buying_power",
        )
        factories.fund(account, cash="100.00")
        assert approve(proposal).state == "APPROVED"


class TestSeveralOrders:
    def test_are_placed_together(self, basket, account, broker):
        approved = approve(basket)

        assert [(order.side, order.symbol) for order in approved.orders] == [
            ("SELL", "AAPL"),
            ("BUY", "MSFT"),
        ]
        assert broker.submitted == [str(order.pk) for order in approved.orders]

    def test_are_placed_not_at_all_when_a_rule_refuses_one(self, basket, account, broker):
        factories.fund(account, cash="299.99")

        with pytest.raises(RiskRefused) as refusal:
            approve(basket)

        assert refusal.value.extra["rule"] == "insufficient_buying_power"
        assert (orders_of(account), broker.submitted) == ([], [])
        assert (reload(basket).state, reload(basket).refusal["position"]) == ("PENDING", 2)
        assert ledger_invariants.open_holds() == {}
        with acting_as(SYSTEM):
            assert not Approval.objects.exists()

    def test_stand_by_themselves_once_the_broker_has_them(self, basket, account, broker):
        broker.plan(VendorRejected("fake", "not today", vendor_code="403"))

        approved = approve(basket)

        assert [order.state for order in approved.orders] == ["REJECTED", "ACCEPTED"]

    def test_are_renewed_together_when_one_price_moves(self, basket, account, broker):
        factories.new_instrument("MSFT", price="405")

        with pytest.raises(approvals.PriceMoved) as moved:
            approve(basket)

        assert moved.value.extra == {"symbols": ["MSFT"]}
        fresh = whole(moved.value.fresh)
        assert [(line.symbol, line.quote_price) for line in fresh.in_order] == [
            ("AAPL", Decimal(100)),
            ("MSFT", Decimal(405)),
        ]
        assert len(approve(fresh).orders) == 2


class TestAPriceBeyondTheBand:
    @pytest.mark.parametrize("price", ["98.99", "101.01"])
    def test_puts_a_fresh_proposal_in_its_place(self, proposal, apple, account, price):
        factories.set_price(apple, price)

        with pytest.raises(approvals.PriceMoved) as moved:
            approve(proposal)

        fresh = whole(moved.value.fresh)
        assert (reload(proposal).state, orders_of(account)) == ("SUPERSEDED", [])
        assert (fresh.origin, fresh.supersedes_id, fresh.run_id) == (
            "PRICE_MOVED",
            proposal.pk,
            RUN,
        )
        (line,) = fresh.in_order
        assert (line.ticket, line.quote_price) == (proposal.in_order[0].ticket, Decimal(price))
        assert (fresh.hash != proposal.hash, fresh.hash) == (True, fresh.fingerprint())

    @pytest.mark.parametrize("price", ["99", "101"])
    def test_is_none_on_its_edge(self, proposal, apple, price):
        factories.set_price(apple, price)

        assert approve(proposal).state == "APPROVED"

    def test_spends_the_first_and_leaves_one_to_approve(self, proposal, apple, account):
        factories.set_price(apple, "102")
        with pytest.raises(approvals.PriceMoved) as moved:
            approve(proposal)

        with pytest.raises(approvals.ProposalOver):
            approve(proposal)
        assert approve(moved.value.fresh).state == "APPROVED"
        assert len(orders_of(account)) == 1

    def test_is_news_on_the_feed_and_to_the_chat(
        self, proposal, apple, account, django_capture_on_commit_callbacks
    ):
        factories.set_price(apple, "102")
        heard.clear()

        with (
            django_capture_on_commit_callbacks(execute=True),
            pytest.raises(approvals.PriceMoved) as moved,
        ):
            approve(proposal)

        assert heard == [ProposalSettled(proposal.pk, RUN)]
        (news,) = feed_of(account, "proposal.created")
        assert (news["proposal_id"], news["supersedes"]) == (
            str(moved.value.fresh.pk),
            str(proposal.pk),
        )

    def test_leaves_it_as_it_is_when_the_rules_refuse_a_fresh_one(self, proposal, apple, account):
        factories.fund(account, cash="50")
        factories.set_price(apple, "102")

        with pytest.raises(approvals.PriceMoved) as moved:
            approve(proposal)

        assert moved.value.fresh is None
        with acting_as(SYSTEM):
            assert Proposal.objects.count() == 1
        factories.fund(account, cash="500")
        factories.set_price(apple, "100")
        assert approve(proposal).state == "APPROVED"


class TestTheSecondFactor:
    @pytest.fixture(autouse=True)
    def _limit(self, settings):
        settings.ORDER_STEP_UP_NOTIONAL = Decimal("99.99")

    @pytest.mark.parametrize("aal", [None, "aal1"])
    def test_is_wanted_above_the_limit(self, proposal, account, aal):
        with pytest.raises(approvals.SecondFactorWanted) as error:
            approve(proposal, principal=replace(customer(), aal=aal))

        assert error.value.extra == {"limit": "99.99", "total": "100.00"}
        assert (reload(proposal).state, orders_of(account)) == ("PENDING", [])
        assert approve(proposal, principal=replace(customer(), aal="aal2")).state == "APPROVED"

    def test_is_not_wanted_up_to_it(self, proposal, settings):
        settings.ORDER_STEP_UP_NOTIONAL = Decimal("100.00")

        assert approve(proposal).state == "APPROVED"

    def test_counts_all_orders_together(self, basket, settings):
        settings.ORDER_STEP_UP_NOTIONAL = Decimal("499.99")

        with pytest.raises(approvals.SecondFactorWanted):
            approve(basket)

    def test_is_a_matter_of_the_accounts_own_limit(self, proposal, account):
        limit_setting.set_limits(
            staff=Principal.staff(1),
            account_id=account.pk,
            step_up_notional=Decimal(500),
            note="A customer we know well.",
            at=now(),
        )

        assert approve(proposal).state == "APPROVED"


class TestRejecting:
    def test_is_final(self, proposal):
        rejected = approvals.reject(principal=customer(), proposal_id=proposal.pk, at=now())

        assert rejected.state == "REJECTED"
        with pytest.raises(approvals.ProposalOver):
            approvals.reject(principal=customer(), proposal_id=proposal.pk, at=now())

    def test_is_the_customers_own_business(self, proposal):
        with pytest.raises(NotFound):
            approvals.reject(principal=customer("bob-sub"), proposal_id=proposal.pk, at=now())
        assert reload(proposal).state == "PENDING"

    def test_comes_too_late_for_what_has_expired(self, proposal):
        factories.pass_time(301)

        with pytest.raises(approvals.ProposalExpired):
            approvals.reject(principal=customer(), proposal_id=proposal.pk, at=now())
        assert reload(proposal).state == "EXPIRED"


class TestExpiring:
    def test_closes_what_is_due_and_tells(self, proposal, django_capture_on_commit_callbacks):
        assert approvals.expire_due(at=now()) == 0
        factories.pass_time(301)
        heard.clear()

        with django_capture_on_commit_callbacks(execute=True):
            assert approvals.expire_due(at=now()) == 1

        assert reload(proposal).state == "EXPIRED"
        assert heard == [ProposalSettled(proposal.pk, RUN)]
        assert approvals.expire_due(at=now()) == 0

    def test_is_decided_by_the_databases_clock_and_not_by_ours(self, proposal):
        factories.pass_time(299)
        assert approve(proposal).state == "APPROVED"


class TestTheTables:
    def test_have_no_order_without_an_approval(self, proposal, place):
        order = place(factories.buy(notional="10"))

        with pytest.raises(IntegrityError), acting_as(SYSTEM), transaction.atomic():
            ApprovedLine.objects.create(
                line=proposal.in_order[0], user_id="alice-sub", order=order, price=1
            )

    def test_have_one_approval_per_proposal(self, proposal):
        approve(proposal)

        with acting_as(SYSTEM), pytest.raises(IntegrityError), transaction.atomic():
            Approval.of(proposal, approved_by="somebody", assurance="")

    @pytest.mark.parametrize("table", [ProposalLine, Approval, ApprovedLine])
    def test_keep_what_was_shown_and_what_was_approved(self, proposal, table):
        approve(proposal)

        for spoil in (
            lambda rows: rows.update(user_id="bob-sub"),
            lambda rows: rows._raw_delete(rows.db),
        ):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                acting_as(SYSTEM),
                transaction.atomic(),
            ):
                spoil(table.objects.all())

    def test_a_settled_proposal_moves_no_more(self, proposal):
        approve(proposal)

        with pytest.raises(ValueError, match="cannot go from APPROVED"):
            reload(proposal).settle("REJECTED", at=now())

    def test_no_order_belongs_to_two_lines(self, proposal, account):
        (order,) = approve(proposal).orders
        other = propose("call-2", notional=Decimal(7))
        with acting_as(SYSTEM):
            approval = Approval.of(other, approved_by="somebody", assurance="")
            line = other.in_order[0]
            with pytest.raises(IntegrityError), transaction.atomic():
                ApprovedLine.of(line, approval=approval, order_id=order.pk, price=Decimal(1))
            assert Order.objects.filter(proposed__isnull=False).count() == 1
