"""A model proposes; only the customer's own request disposes, once."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from core.auth import SYSTEM, Kind, Principal, acting_as
from core.errors import Forbidden, NotFound, VendorRejected, VendorUnclear
from core.events import subscribe
from trading import approvals, services
from trading.events import ProposalSettled
from trading.models import Approval, Proposal
from trading.risk import PriceStale, RiskRefused
from trading.tests import factories
from trading.tests.factories import customer, orders_of, reload
from trading.tests.proposing import RUN, now, propose

pytestmark = pytest.mark.django_db
heard: list[object] = []
subscribe(ProposalSettled, heard.append)


def approve(proposal, *, shown=None, principal=None):
    return approvals.approve(
        principal=principal or customer(),
        proposal_id=proposal.pk,
        shown_hash=proposal.hash if shown is None else shown,
        at=now(),
    )


def tamper(proposal, **columns):
    with acting_as(SYSTEM):
        Proposal.objects.filter(pk=proposal.pk).update(**columns)


@pytest.fixture
def proposal(account, broker):
    return propose()


class TestApproving:
    def test_places_exactly_the_proposed_order_once(self, proposal, account, broker):
        approved = approve(proposal)

        (order,) = orders_of(account)
        assert (approved.state, approved.order_id) == ("APPROVED", order.pk)
        assert broker.submitted == [str(order.pk)]
        assert broker.tickets[str(order.pk)] == proposal.ticket
        assert order.is_accepted

    def test_keeps_who_approved_what(self, proposal):
        approve(proposal)

        with acting_as(SYSTEM):
            approval = Approval.objects.get(proposal=proposal)
        assert (approval.approved_by, approval.hash, approval.text, approval.price) == (
            "customer:alice-sub",
            proposal.hash,
            proposal.text,
            Decimal(100),
        )

    def test_a_second_approval_is_told_so_and_orders_nothing(self, proposal, account, broker):
        approved = approve(proposal)

        with pytest.raises(approvals.ProposalOver) as error:
            approve(proposal)

        assert error.value.extra == {"state": "APPROVED", "order_id": str(approved.order_id)}
        assert (len(orders_of(account)), len(broker.submitted)) == (1, 1)

    def test_tells_whoever_waits_for_it(self, proposal, django_capture_on_commit_callbacks):
        heard.clear()
        with django_capture_on_commit_callbacks(execute=True):
            approve(proposal)

        assert heard == [ProposalSettled(proposal.pk, RUN)]

    def test_an_unsure_broker_leaves_the_order_to_the_sweep(self, proposal, account, broker):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)

        approved = approve(proposal)
        assert approved.order.state == "UNKNOWN"

        services.sweep_orders(at=now())
        assert reload(approved.order).state == "ACCEPTED"
        assert len(broker.submitted) == 1

    def test_a_broker_that_says_no_spends_the_proposal(self, proposal, account, broker):
        broker.plan(VendorRejected("fake", "not today", vendor_code="403"))

        with pytest.raises(services.OrderRejected):
            approve(proposal)

        assert reload(proposal).state == "APPROVED"
        assert [order.state for order in orders_of(account)] == ["REJECTED"]

    def test_a_rule_that_says_no_spends_it_too(self, proposal, account, broker):
        factories.fund(account, cash="99.99")

        with pytest.raises(RiskRefused):
            approve(proposal)

        (order,) = orders_of(account)
        assert (reload(proposal).order_id, order.reason_code) == (order.pk, "risk_refused")
        assert broker.submitted == []


class TestRefusals:
    """Each leaves no order, no approval, and the proposal as it was."""

    @pytest.fixture(autouse=True)
    def _nothing_happens(self, proposal, account, broker):
        yield
        with acting_as(SYSTEM):
            assert not Approval.objects.exists()
        assert (orders_of(account), broker.submitted) == ([], [])

    @pytest.mark.parametrize("shown", ["", "no", "0" * 64, "{}", "true"])
    def test_of_any_other_hash(self, proposal, shown):
        with pytest.raises(approvals.ProposalChanged):
            approve(proposal, shown=shown)
        assert reload(proposal).state == "PENDING"

    @pytest.mark.parametrize(
        "change",
        [
            {"notional": Decimal("100.01")},
            {"symbol": "AAPLX"},
            {"side": "SELL"},
            {"price_high": Decimal(500)},
            {"price_low": Decimal(1)},
            {"quote_price": Decimal("100.5")},
        ],
    )
    def test_of_a_proposal_that_is_not_what_was_shown(self, proposal, change):
        if "symbol" in change:
            factories.new_instrument("AAPLX", price="100")
            factories.set_price(factories.new_instrument("AAPL"), "100")
            factories.set_price(factories.new_instrument("AAPLX"), "100")
        tamper(proposal, **change)

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal)

    def test_of_one_whose_own_hash_was_changed_with_it(self, proposal):
        tamper(proposal, notional=Decimal(900))

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal, shown=reload(proposal).fingerprint())

    def test_after_its_time(self, proposal):
        factories.pass_time(301)

        with pytest.raises(approvals.ProposalExpired):
            approve(proposal)
        assert reload(proposal).state == "EXPIRED"
        with pytest.raises(approvals.ProposalExpired):
            approve(proposal)

    def test_for_another_customer(self, proposal):
        with pytest.raises(NotFound):
            approve(proposal, principal=customer("bob-sub"))

    @pytest.mark.parametrize(
        "principal",
        [
            SYSTEM,
            Principal(kind=Kind.STAFF, user_id="alice-sub"),
            Principal(
                kind=Kind.SERVICE,
                user_id="alice-sub",
                key_id="k",
                scopes=frozenset({"act_for", "trading:write"}),
            ),
        ],
    )
    def test_for_everybody_but_the_customer(self, proposal, principal):
        with pytest.raises(Forbidden):
            approve(proposal, principal=principal)

    def test_when_the_price_has_left_the_band(self, proposal, apple):
        factories.set_price(apple, "101.01")

        with pytest.raises(approvals.PriceMoved):
            approve(proposal)
        assert reload(proposal).state == "PENDING"

    def test_when_nobody_knows_the_price(self, proposal, apple):
        factories.set_price(apple, "100", at=datetime(2026, 1, 1, tzinfo=UTC))

        with pytest.raises(PriceStale):
            approve(proposal)
        assert reload(proposal).state == "PENDING"

    def test_after_it_was_rejected(self, proposal):
        approvals.reject(principal=customer(), proposal_id=proposal.pk, at=now())

        with pytest.raises(approvals.ProposalOver):
            approve(proposal)


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


class TestTheTable:
    def test_has_no_order_without_an_approval(self, proposal, place):
        order = place(factories.buy(notional="10"))

        with pytest.raises(IntegrityError), transaction.atomic():
            tamper(proposal, order=order)

    def test_has_one_approval_per_proposal(self, proposal):
        approve(proposal)

        with acting_as(SYSTEM), pytest.raises(IntegrityError), transaction.atomic():
            Approval.objects.create(
                proposal=proposal,
                user_id=proposal.user_id,
                approved_by="somebody",
                hash=proposal.hash,
                text=proposal.text,
                price=Decimal(1),
            )

    def test_a_settled_proposal_moves_no_more(self, proposal):
        approve(proposal)

        with pytest.raises(ValueError, match="cannot go from APPROVED"):
            reload(proposal).settle("REJECTED", at=now())
