"""What the staff may do about trading: stop it, limit it, and look at every step of an order."""

from datetime import UTC, datetime

import pytest

from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from core.intents.states import IntentState
from core.tests.staff_people import actions, member, signed_in
from trading.models import KillSwitch, OrderReport, RestrictedSymbol, RiskLimit
from trading.tests.factories import buy, orders_of, reload

pytestmark = pytest.mark.django_db
STOP = "/admin/trading/killswitch/stop/"
LIMIT = "/admin/trading/risklimit/new/"
RESTRICT = "/admin/trading/restrictedsymbol/new/"


@pytest.fixture(autouse=True)
def _no_second_factor(settings):
    settings.STAFF_SECOND_FACTOR = False


@pytest.fixture
def operator(db):
    return signed_in(member("olga", "operator"))


@pytest.fixture
def approver(db):
    return signed_in(member("anna", "approver"))


@pytest.fixture
def viewer(db):
    return signed_in(member("vera", "viewer"))


def standing():
    with acting_as(SYSTEM):
        return list(KillSwitch.objects.on())


def page_of(row, deed=""):
    name = type(row)._meta.model_name
    return f"/admin/trading/{name}/{row.pk}/{deed or 'change'}/"


class TestKillSwitch:
    def test_an_operator_stops_everybody_and_says_why(self, operator):
        answer = operator.post(STOP, {"scope": "GLOBAL", "target": "", "reason": "Ticket 7"})

        assert answer.status_code == 302, answer.content
        (switch,) = standing()
        assert (switch.scope, switch.reason, switch.cancels_open) == ("GLOBAL", "Ticket 7", False)

    def test_without_a_reason_nothing_is_stopped(self, operator):
        answer = operator.post(STOP, {"scope": "GLOBAL", "target": "", "reason": " "})

        assert answer.status_code == 200
        assert standing() == []

    def test_a_scope_that_names_nobody_is_refused_at_its_field(self, operator):
        answer = operator.post(STOP, {"scope": "ACCOUNT", "target": "", "reason": "Ticket 7"})

        assert answer.status_code == 200
        assert "target" in answer.context["form"].errors
        assert standing() == []

    def test_only_an_approver_lets_orders_pass_again(self, operator, approver):
        operator.post(STOP, {"scope": "GLOBAL", "target": "", "reason": "Ticket 7"})
        (switch,) = standing()

        refused = operator.post(page_of(switch, "lift"), {"reason": "All is well."})
        still = standing()
        lifted = approver.post(page_of(switch, "lift"), {"reason": "All is well."})

        assert (refused.status_code, len(still)) == (403, 1)
        assert lifted.status_code == 302
        assert standing() == []
        told = [action for action, _ in actions(subject_kind="trading.KillSwitch")]
        assert "row.added" in told

    def test_who_may_only_look_stops_nothing(self, viewer):
        answer = viewer.post(STOP, {"scope": "GLOBAL", "target": "", "reason": "Ticket 7"})

        assert answer.status_code == 403
        assert standing() == []


class TestLimits:
    def test_an_approver_sets_the_limits_for_everybody_and_of_an_account(self, approver, account):
        everybody = approver.post(LIMIT, {"max_notional": "5000", "note": "Ticket 8"})
        one = approver.post(
            LIMIT, {"account_id": str(account.pk), "max_notional": "750.50", "note": "Ticket 9"}
        )

        assert (everybody.status_code, one.status_code) == (302, 302)
        with acting_as(SYSTEM):
            limits = {
                limit.account_id: str(limit.max_notional) for limit in RiskLimit.objects.all()
            }
        assert limits == {None: "5000.00", account.pk: "750.50"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("max_notional", "-1"), ("collar", "1.5"), ("open_orders", "0"), ("account_id", "nobody")],
    )
    def test_a_limit_that_makes_no_sense_is_refused_at_its_field(self, approver, field, value):
        answer = approver.post(LIMIT, {field: value, "note": "Ticket 8"})

        assert answer.status_code == 200
        assert field in answer.context["form"].errors
        with acting_as(SYSTEM):
            assert not RiskLimit.objects.exists()

    def test_a_change_begins_with_the_limits_as_they_are(self, approver):
        approver.post(LIMIT, {"max_notional": "5000", "collar": "0.05", "note": "Ticket 8"})
        with acting_as(SYSTEM):
            limit = RiskLimit.objects.get()

        form = approver.get(page_of(limit, "set")).context["form"]

        shown = {name: form[name].value() for name in form.fields if form[name].value()}
        assert shown == {"max_notional": limit.max_notional, "collar": limit.collar}

    def test_an_operator_sets_none(self, operator):
        answer = operator.post(LIMIT, {"max_notional": "5000", "note": "Ticket 8"})

        assert answer.status_code == 403


class TestRestrictions:
    @pytest.mark.parametrize(("symbol", "is_doubted"), [("AAPL", False), ("BRK-B", True)])
    def test_a_spelling_that_nobody_has_used_is_doubted(self, approver, apple, symbol, is_doubted):
        answer = approver.post(RESTRICT, {"symbol": symbol, "side": "", "reason": "x"}, follow=True)

        assert (b"check how it is spelled" in answer.content) is is_doubted

    def test_a_symbol_is_restricted_and_set_free_again(self, approver):
        approver.post(RESTRICT, {"symbol": "aapl", "side": "BUY", "reason": "Ticket 3"})
        with acting_as(SYSTEM):
            row = RestrictedSymbol.objects.get()

        lifted = approver.post(page_of(row, "lift"), {})

        assert (row.symbol, row.side) == ("AAPL", "BUY")
        assert lifted.status_code == 302
        with acting_as(SYSTEM):
            assert RestrictedSymbol.objects.get().lifted_at is not None


class TestBlotter:
    def test_it_refreshes_by_itself_and_finds_the_stuck(self, operator, place, broker):
        place(buy(notional="12.34"))

        page = operator.get("/admin/trading/order/")
        stuck = operator.get("/admin/trading/order/", {"stuck": "any"})
        every = [
            operator.get("/admin/trading/order/", {"stuck": name}).status_code
            for name in ("review", "unknown", "late", "held", "canceling", "untold")
        ]

        assert b"trading/blotter.js" in page.content
        assert b"AAPL" in page.content
        assert b"AAPL" not in stuck.content
        assert every == [200] * 6

    def test_the_timeline_has_verdict_moves_and_the_brokers_own_words(
        self, operator, place, broker, account
    ):
        place(buy(notional="12.34"))
        (order,) = orders_of(account)
        with acting_as(SYSTEM):
            OrderReport.objects.create(
                order=order,
                user_id=order.user_id,
                origin="EVENT",
                kind="new",
                body={"event": "new", "<script>": "alert(1)"},
            )

        page = operator.get(page_of(order)).content.decode()

        assert "What the rules weighed" in page
        assert "PENDING → SENDING" in page
        assert "The broker told" in page
        assert "&lt;script&gt;" in page
        assert "<script>&quot;" not in page

    def test_an_operator_has_an_order_canceled(self, operator, viewer, place, broker, account):
        place(buy(notional="12.34"))
        (order,) = orders_of(account)

        refused = viewer.post(page_of(order, "cancel"), {})
        answer = operator.post(page_of(order, "cancel"), {})

        assert (refused.status_code, answer.status_code) == (403, 302)


class TestLostOrders:
    @pytest.fixture
    def lose(self, place, broker, account):
        """Make an order of which nobody here knows whether the broker has it."""

        def lose(*, is_done):
            broker.plan(VendorUnclear("fake", "no answer"), is_done=is_done)
            place(buy(notional="12.34"))
            (order,) = orders_of(account)
            with acting_as(SYSTEM):
                order.advance(IntentState.NEEDS_REVIEW, at=datetime.now(UTC))
            return order

        return lose

    @pytest.mark.parametrize(
        ("is_done", "state"), [(True, IntentState.ACCEPTED), (False, IntentState.REJECTED)]
    )
    def test_the_broker_is_asked_once_more_and_its_word_decides(
        self, approver, lose, is_done, state, django_capture_on_commit_callbacks
    ):
        lost = lose(is_done=is_done)

        with django_capture_on_commit_callbacks(execute=True):
            answer = approver.post(page_of(lost, "settle"), {"reason": "Ticket 4"})

        lost = reload(lost)
        assert (answer.status_code, lost.state) == (302, state)
        assert bool(lost.reserved_cash) == is_done
        assert ("order.lost_settled",) in {(action,) for action, _ in actions()}

    def test_an_operator_settles_none(self, operator, lose):
        lost = lose(is_done=True)

        answer = operator.post(page_of(lost, "settle"), {"reason": "Ticket 4"})

        assert answer.status_code == 403
        assert reload(lost).state == IntentState.NEEDS_REVIEW
