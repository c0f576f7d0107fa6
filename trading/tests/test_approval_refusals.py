"""Approvals that come to nothing: of anything but what was shown, too late, or by somebody else."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from core.auth import SYSTEM, Kind, Principal, acting_as
from core.errors import Forbidden, NotFound
from trading import approvals
from trading.models import Approval, ProposalLine
from trading.risk import PriceStale
from trading.tests import factories
from trading.tests.factories import customer, orders_of, reload
from trading.tests.proposing import approve, now, propose, tamper, tamper_line, whole

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(account, broker):
    return propose()


class TestRefusals:
    """Each leaves no order, no approval, and the proposal as it was."""

    @pytest.fixture(autouse=True)
    def _nothing_happens(self, proposal, account, broker):
        yield
        with acting_as(SYSTEM):
            assert not Approval.objects.exists()
        assert (orders_of(account), broker.submitted) == ([], [])

    @pytest.mark.parametrize("shown", ["", "no", "0" * 64, "{}", "true", "\u2067" * 64])
    def test_of_any_other_hash(self, proposal, shown):
        with pytest.raises(approvals.ProposalChanged):
            approve(proposal, shown=shown)
        assert reload(proposal).state == "PENDING"

    @pytest.mark.parametrize(
        "change",
        [
            {"position": 2},
            {"symbol": "AAPLX"},
            {"side": "SELL"},
            {"order_type": "LIMIT"},
            {"time_in_force": "GTC"},
            {"notional": Decimal("100.01")},
            {"notional": None, "quantity": Decimal(100)},
            {"limit_price": Decimal(101)},
            {"stop_price": Decimal(101)},
            {"trail_price": Decimal(1)},
            {"trail_percent": Decimal(1)},
            {"extended_hours": True},
            {"order_class": "BRACKET"},
            {"take_profit_price": Decimal(120)},
            {"stop_loss_price": Decimal(90)},
            {"stop_loss_limit_price": Decimal(89)},
            {"after_hours": "queue_for_open"},
            {"lot_choices": [{"lot_id": str(uuid4()), "quantity": "1"}]},
            {"quote_price": Decimal("100.5")},
            {"quote_as_of": datetime(2026, 1, 1, tzinfo=UTC)},
            {"price_high": Decimal(500)},
            {"price_low": Decimal(1)},
            {"estimated_value": Decimal(1)},
        ],
        ids="-".join,
    )
    def test_of_a_line_that_is_not_what_was_shown(self, proposal, change):
        factories.new_instrument("AAPLX", price="100")
        tamper_line(proposal, **change)

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal)

    def test_of_nothing_but_known_columns(self):
        covered = {
            "position", "symbol", "side", "order_type", "time_in_force", "notional", "quantity",
            "limit_price", "stop_price", "trail_price", "trail_percent", "extended_hours",
            "order_class", "take_profit_price", "stop_loss_price", "stop_loss_limit_price",
            "after_hours", "lot_choices", "quote_price", "quote_as_of", "price_high", "price_low",
            "estimated_value",
        }  # fmt: skip
        columns = {field.name for field in ProposalLine._meta.get_fields()}

        # A new column is shown, and then it is hashed and tried above; or it is listed here.
        assert columns - covered == {"id", "user_id", "proposal", "verdict", "approved"}

    @pytest.mark.parametrize(
        "change",
        [
            {"account_label": "•••• 0000"},
            {"origin": "LAPSED"},
            {"warnings": ["All is well."]},
            {"version": 1},
            {"expires_at": datetime(2040, 1, 1, tzinfo=UTC)},
            {"hash": "0" * 64},
        ],
        ids="-".join,
    )
    def test_of_a_proposal_that_is_not_what_was_shown(self, proposal, change):
        tamper(proposal, **change)

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal)

    def test_of_one_that_was_moved_to_another_account(self, proposal):
        tamper(proposal, account_id=factories.new_account("bob-sub").pk)

        with pytest.raises(NotFound):
            approve(proposal)

    def test_of_one_whose_own_hash_was_changed_with_it(self, proposal):
        tamper_line(proposal, notional=Decimal(900))

        with pytest.raises(approvals.ProposalChanged):
            approve(proposal, shown=whole(proposal).fingerprint())

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
                aal="aal2",
            ),
        ],
    )
    def test_for_everybody_but_the_customer(self, proposal, principal):
        with pytest.raises(Forbidden):
            approve(proposal, principal=principal)

    def test_when_nobody_knows_the_price(self, proposal, apple):
        factories.set_price(apple, "100", at=datetime(2026, 1, 1, tzinfo=UTC))

        with pytest.raises(PriceStale):
            approve(proposal)
        assert reload(proposal).state == "PENDING"

    def test_after_it_was_rejected(self, proposal):
        approvals.reject(principal=customer(), proposal_id=proposal.pk, at=now())

        with pytest.raises(approvals.ProposalOver):
            approve(proposal)
