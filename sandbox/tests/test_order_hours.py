"""When orders fill: at once or never, at the opening or the close, by day and at night."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.trading_days import Day

RULES = [
    ({"type": "stop", "stop_price": "210"}, "stop orders must be DAY or GTC orders"),
    (
        {"type": "trailing_stop", "trail_price": "1"},
        "trailing_stop orders must be DAY or GTC orders",
    ),
]


@pytest.fixture
def desk(still_server: Server) -> Desk:
    desk = Desk(still_server)
    desk.set_price("AAPL", "200.00")
    return desk


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.funded_account("10000")


@pytest.fixture
def day(shared_exchange: Server) -> Day:
    return Day(shared_exchange)


class TestAtOnce:
    @pytest.mark.parametrize("kind", ["ioc", "fok"])
    def test_what_can_fill_fills(self, desk, account_id, kind):
        order = desk.order(account_id, qty="3", time_in_force=kind)
        desk.advance(1)

        assert desk.status(account_id, order["id"]) == "filled"

    @pytest.mark.parametrize("kind", ["ioc", "fok"])
    def test_what_cannot_is_canceled(self, desk, account_id, kind):
        order = desk.order(account_id, type="limit", qty="3", limit_price="199", time_in_force=kind)
        desk.advance(1)

        assert desk.status(account_id, order["id"]) == "canceled"

    def test_the_rest_of_an_immediate_order_is_canceled(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        order = desk.order(account_id, qty="3", time_in_force="ioc")
        desk.advance(1)

        shown = desk.show_order(account_id, order["id"])
        assert (shown["status"], shown["filled_qty"]) == ("canceled", "1")

    def test_of_all_or_nothing_a_part_is_nothing(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        order = desk.order(account_id, qty="3", time_in_force="fok")
        desk.advance(1)

        shown = desk.show_order(account_id, order["id"])
        assert (shown["status"], shown["filled_qty"]) == ("canceled", "0")
        assert desk.cash(account_id) == 10000

    def test_at_night_nothing_fills_at_once(self, day):
        day.go_to("21:00")
        order = day.order(time_in_force="ioc")
        day.desk.advance(1)

        assert day.status(order) == "canceled"

    @pytest.mark.parametrize("kind", ["ioc", "fok", "opg", "cls"])
    @pytest.mark.parametrize(("wanted", "message"), RULES)
    def test_a_stop_waits_and_so_cannot_be_such_an_order(
        self, desk, account_id, kind, wanted, message
    ):
        answer = desk.order(account_id, status=422, qty="1", time_in_force=kind, **wanted)

        assert answer["message"] == message

    @pytest.mark.parametrize("kind", ["ioc", "fok", "opg", "cls", "gtc"])
    def test_a_fraction_is_for_the_day(self, desk, account_id, kind):
        answer = desk.order(account_id, status=422, qty="0.5", time_in_force=kind)

        assert answer["message"] == "fractional orders must be DAY orders"


class TestClosedMarket:
    def test_an_order_at_night_is_accepted_and_fills_at_the_opening(self, day):
        day.go_to("21:00")
        order = day.order()
        day.go_to("09:29", days=1)
        waiting = day.status(order)

        day.go_to("12:00", days=1)

        assert (order["status"], waiting) == ("accepted", "accepted")
        opening = day.filled_at(order)
        assert (opening.hour, opening.minute) == (9, 30)
        assert opening.date() == day.session.date + timedelta(days=1)

    def test_a_day_order_after_the_close_belongs_to_the_next_session(self, day):
        day.go_to("17:00")
        order = day.order(type="limit", limit_price="100")
        day.go_to("15:59", days=1)
        at_the_end = day.status(order)

        day.go_to("16:01", days=1)

        assert (at_the_end, day.status(order)) == ("new", "expired")

    def test_a_waiting_order_cannot_be_replaced_but_canceled(self, day):
        day.go_to("21:00")
        order = day.order(type="limit", limit_price="100")
        refused = day.desk.replace(day.account_id, order["id"], status=422, limit_price="101")

        day.desk.cancel(day.account_id, order["id"])
        day.desk.advance(1)

        assert refused["message"] == 'order is not replaceable in "accepted" state'
        assert day.status(order) == "canceled"

    def test_an_order_good_till_canceled_rests_over_night(self, day):
        day.go_to("15:00")
        order = day.order(type="limit", limit_price="150", time_in_force="gtc")
        day.go_to("20:30")
        day.desk.set_price("AAPL", "140")
        day.desk.advance(60)
        at_night = day.status(order)

        day.go_to("09:29", days=1)
        day.desk.set_price("AAPL", "140")
        day.desk.advance(120)

        assert (at_night, day.status(order)) == ("new", "filled")

    def test_a_long_jump_of_the_clock_fills_at_the_price_of_the_opening(self, day):
        day.go_to("21:00")
        order = day.order()
        day.desk.server.control("prices", {"AAPL": None})

        day.desk.advance(3 * 24 * 3600)

        opening = day.filled_at(order)
        quote = day.world.prices.quote("AAPL", opening)
        assert quote is not None
        assert Decimal(day.show(order)["filled_avg_price"]) == quote.ask


class TestExtendedHours:
    @pytest.mark.parametrize("clock", ["05:00", "18:00"])
    def test_an_extended_order_fills_before_the_opening_and_after_the_close(self, day, clock):
        day.go_to(clock)
        order = day.order(type="limit", limit_price="201", extended_hours=True)
        usual = day.order(type="limit", limit_price="201")
        day.desk.advance(1)

        assert (order["status"], usual["status"]) == ("pending_new", "accepted")
        assert (day.status(order), day.status(usual)) == ("filled", "accepted")

    def test_at_night_it_waits_for_four_in_the_morning(self, day):
        day.go_to("21:00")
        order = day.order(type="limit", limit_price="201", extended_hours=True)
        day.go_to("03:59", days=1)
        waiting = day.status(order)

        day.go_to("04:01", days=1)

        assert (waiting, day.filled_at(order).hour) == ("accepted", 4)

    def test_one_of_the_day_lasts_until_eight_in_the_evening(self, day):
        day.go_to("15:00")
        order = day.order(type="limit", limit_price="100", extended_hours=True)
        day.go_to("19:59")
        late = day.status(order)

        day.go_to("20:01")

        assert (late, day.status(order)) == ("new", "expired")

    @pytest.mark.parametrize(
        "wanted", [{}, {"type": "limit", "limit_price": "1", "time_in_force": "ioc"}]
    )
    def test_only_a_limit_of_the_day_or_good_till_canceled_may_be_one(self, day, wanted):
        answer = day.order(status=422, extended_hours=True, **wanted)

        assert answer["message"] == "extended hours order must be DAY or GTC limit orders"


class TestAuctions:
    @pytest.mark.parametrize(
        ("kind", "sent", "auction"), [("opg", "08:00", (9, 30)), ("cls", "11:00", (16, 0))]
    )
    def test_an_order_fills_in_its_auction_and_not_before(self, day, kind, sent, auction):
        day.go_to(sent)
        order = day.order(time_in_force=kind)
        day.desk.advance(600)
        waiting = day.status(order)

        day.go_to("16:01")

        filled = day.filled_at(order)
        assert waiting == ("accepted" if kind == "opg" else "new")
        assert (filled.hour, filled.minute) == auction

    @pytest.mark.parametrize(("kind", "sent"), [("opg", "08:00"), ("cls", "11:00")])
    def test_what_the_auction_does_not_fill_is_canceled(self, day, kind, sent):
        day.go_to(sent)
        order = day.order(type="limit", limit_price="100", time_in_force=kind)

        day.go_to("16:01")

        assert day.status(order) == "canceled"

    @pytest.mark.parametrize(
        ("kind", "clock", "message"),
        [
            ("opg", "09:28", "opg orders are not accepted between 09:28 and 19:00 ET"),
            ("opg", "12:00", "opg orders are not accepted between 09:28 and 19:00 ET"),
            ("cls", "15:50", "cls orders are not accepted between 15:50 and 19:00 ET"),
        ],
    )
    def test_too_late_is_refused(self, day, kind, clock, message):
        day.go_to(clock)

        assert day.order(status=422, time_in_force=kind)["message"] == message

    @pytest.mark.parametrize(("kind", "hour"), [("opg", 9), ("cls", 16)])
    def test_in_the_evening_it_is_for_the_next_day(self, day, kind, hour):
        day.go_to("19:00")
        order = day.order(time_in_force=kind)

        day.go_to("17:00", days=1)

        filled = day.filled_at(order)
        assert (filled.date(), filled.hour) == (day.session.date + timedelta(days=1), hour)

    def test_a_market_that_never_closes_has_its_auctions_at_midnight(self, desk, account_id):
        order = desk.order(account_id, qty="1", time_in_force="opg")
        desk.advance(1)
        waiting = desk.status(account_id, order["id"])

        desk.advance(24 * 3600)

        assert (waiting, desk.status(account_id, order["id"])) == ("new", "filled")
