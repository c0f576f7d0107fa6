"""Lots in the tables and over HTTP: kept up fill by fill, listed, chosen."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import inbox
from core.auth import SYSTEM, acting_as
from core.ids import new_id
from trading import services
from trading.models import Execution, Lot, LotBook, LotClosing
from trading.services import lots, news
from trading.states import LotMethod
from trading.tests import factories
from trading.tests.factories import buy, sell
from trading.tests.telling import event, now, tell
from trading.tickets import LotChoice

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 5, 15, tzinfo=UTC)
D = Decimal


@pytest.fixture
def trade(place, broker, account):
    """Trade some shares at a price on a day; the broker has money and shares enough."""
    factories.fund(account, cash="100000.00")
    broker.cash = D(100000)

    def trade(ticket, *, price, day):
        order = place(ticket)
        filled = broker.fill(str(order.pk), ticket.quantity, D(price))
        filled["at"] = (START + timedelta(days=day)).isoformat()
        tell(filled)
        return factories.reload(order)

    return trade


def open_lots(account):
    with acting_as(SYSTEM):
        rows = Lot.objects.filter(account_id=account.pk).exclude(remaining=0)
        return [
            (row.remaining.normalize(), row.cost_left)
            for row in rows.order_by("acquired_at", "-remaining")
        ]


def lot_of(order):
    with acting_as(SYSTEM):
        return Lot.objects.get(order=order)


class TestKeepingUp:
    def test_what_is_added_is_what_folding_anew_makes(self, trade, account):
        trade(buy(quantity="10"), price="100", day=0)
        trade(buy(quantity="10"), price="120", day=10)
        trade(sell(quantity="15"), price="90", day=20)  # at a loss
        trade(buy(quantity="4"), price="95", day=30)  # which washes some of it
        trade(sell(quantity="3"), price="99", day=40)

        def rows(model):
            with acting_as(SYSTEM):
                found = model.objects.filter(account_id=account.pk)
                return sorted(tuple(map(str, row)) for row in found.values_list())

        before = [rows(model) for model in (Lot, LotClosing)]
        with acting_as(SYSTEM):
            lots.refold(account.pk, account.user_id, ["AAPL"])

        assert [rows(model) for model in (Lot, LotClosing)] == before
        with acting_as(SYSTEM):
            assert LotClosing.objects.filter(disallowed__gt=0).count() == 1

    def test_so_is_it_with_more_lots_than_are_read_at_once(self, place, broker, account):
        factories.fund(account, cash="100000.00")
        chance, told = random.Random(5), []
        for number in range(90):
            is_buy = number < 50 or chance.random() < 0.4
            size = str(chance.randint(1, 3) if is_buy else chance.randint(1, 4))
            order = factories.working_order(
                account, broker, buy(quantity=size) if is_buy else sell(quantity=size)
            )
            filled = broker.fill(str(order.pk), D(size), D(chance.randint(80, 120)))
            filled["at"] = (START + timedelta(days=number)).isoformat()
            told.append((filled["event_ulid"], filled))
        inbox.receive_all(news.SOURCE, told)

        services.apply_events()

        def rows(model):
            with acting_as(SYSTEM):
                found = model.objects.filter(account_id=account.pk)
                return sorted(tuple(map(str, row)) for row in found.values_list())

        before = [rows(model) for model in (Lot, LotClosing)]
        with acting_as(SYSTEM):
            assert LotClosing.objects.filter(disallowed__gt=0).exists()
            lots.refold(account.pk, account.user_id, ["AAPL"])
        assert [rows(model) for model in (Lot, LotClosing)] == before

    def test_a_late_fill_is_put_in_its_place(self, place, broker, account):
        factories.fund(account, cash="100000.00")
        first, second = place(buy(quantity="5")), place(buy(quantity="5"))
        early = broker.fill(str(first.pk), D(5), D(100))
        late = broker.fill(str(second.pk), D(5), D(110))
        early["at"], late["at"] = "2026-11-20T15:00:00Z", "2026-11-21T15:00:00Z"
        over = {**early["order"], "status": "canceled", "filled_qty": "0"}
        tell(late, event(early, "canceled", 1, order=over))
        sale = place(sell(quantity="5"))
        tell({**broker.fill(str(sale.pk), D(5), D(120)), "at": "2026-11-22T15:00:00Z"})
        with acting_as(SYSTEM):
            assert LotClosing.objects.get().basis == D("550.00")

        tell(early)

        with acting_as(SYSTEM):
            assert LotClosing.objects.get().basis == D("500.00")
        assert open_lots(account) == [(5, D("550.00"))]

    def test_an_account_that_traded_before_there_were_lots_gets_them(self, trade, account, broker):
        trade(buy(quantity="10"), price="100", day=0)
        trade(buy(quantity="5"), price="120", day=1)
        with acting_as(SYSTEM):  # as the migration finds it
            LotBook.objects.all().delete()
            Lot.objects.all().delete()
            Execution.objects.update(lot_id=None)
            type(factories.cash_of(account)).objects.update(lots_since=None)

        services.sync_holdings(account_id=account.pk, at=now())

        assert open_lots(account) == [(10, D("1000.00")), (5, D("600.00"))]

    def test_many_fills_at_once_add_up(self, place, broker, account):
        factories.fund(account, cash="100000.00")
        events = []
        for number in range(10):
            order = place(buy(quantity="5"))
            for part in range(5):
                filled = broker.fill(str(order.pk), D(1), D(90 + number))
                filled["at"] = (START + timedelta(seconds=10 * number + part)).isoformat()
                events.append((filled["event_ulid"], filled))
        inbox.receive_all(news.SOURCE, events[::-1])

        services.apply_events()

        with acting_as(SYSTEM):
            book = LotBook.objects.get(account_id=account.pk)
        assert (book.quantity, len(open_lots(account))) == (50, 50)


class TestTheMethod:
    def test_is_that_of_the_moment_of_the_sale(self, trade, alice, account):
        trade(buy(quantity="10"), price="100", day=0)
        trade(buy(quantity="10"), price="120", day=1)
        trade(sell(quantity="1"), price="130", day=2)

        assert put_method(alice, account, "hifo").json() == {"method": "HIFO"}
        trade(sell(quantity="1"), price="130", day=3)
        assert put_method(alice, account, "FIFO").status_code == 200
        trade(sell(quantity="1"), price="130", day=4)

        with acting_as(SYSTEM):
            lots.refold(account.pk, account.user_id, ["AAPL"])
            sold = LotClosing.objects.order_by("closed_at").values_list("basis", flat=True)
            assert list(sold) == [D("100.00"), D("120.00"), D("100.00")]

    def test_is_fifo_unless_somebody_chooses(self, alice, account):
        answer = alice.get(f"/api/account/{account.pk}/lot-method")

        assert answer.json() == {"method": "FIFO"}

    @pytest.mark.parametrize("body", [{}, {"method": "SPECIFIC"}, {"method": 1}, {"method": None}])
    def test_is_one_of_two(self, alice, account, body):
        answer = alice.put(f"/api/account/{account.pk}/lot-method", body, format="json")

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["method"])

    def test_of_another_customer_is_not_found(self, bob, account):
        assert put_method(bob, account, "HIFO").status_code == 404


def put_method(client, account, method):
    return client.put(f"/api/account/{account.pk}/lot-method", {"method": method}, format="json")


class TestNamedLots:
    def ticket(self, quantity, **named):
        lots_named = tuple(LotChoice(lot_id=key, quantity=D(part)) for key, part in named["of"])
        plain = sell(quantity=quantity)
        return type(plain)(**{**vars(plain), "lots": lots_named})

    def test_are_what_a_sale_takes(self, trade, account):
        trade(buy(quantity="5"), price="100", day=0)
        dear = lot_of(trade(buy(quantity="5"), price="120", day=1))
        cheap = lot_of(trade(buy(quantity="5"), price="90", day=2))

        sale = trade(self.ticket("4", of=[(dear.pk, "1"), (cheap.pk, "3")]), price="130", day=3)

        with acting_as(SYSTEM):
            assert Execution.objects.get(order=sale).lot_method == LotMethod.SPECIFIC
            sold = LotClosing.objects.filter(order_id=sale.pk).order_by("basis")
            assert [(row.quantity, row.basis) for row in sold] == [(1, 120), (3, 270)]

    def test_that_are_not_there_are_refused_by_name(self, trade, account):
        lot = lot_of(trade(buy(quantity="5"), price="100", day=0))
        unknown = new_id()
        before = len(factories.orders_of(account))

        with pytest.raises(services.LotsNotThere) as refused:
            trade(self.ticket("5", of=[(lot.pk, "4"), (unknown, "1")]), price="130", day=1)

        assert refused.value.status == 422
        (error,) = refused.value.field_errors["lots"]
        assert error.startswith(str(unknown))
        assert len(factories.orders_of(account)) == before

    def test_are_taken_by_open_orders(self, trade, place, account):
        lot = lot_of(trade(buy(quantity="5"), price="100", day=0))
        trade(buy(quantity="5"), price="100", day=1)
        place(self.ticket("3", of=[(lot.pk, "3")]))

        with pytest.raises(services.LotsNotThere, match="Some of the lots"):
            place(self.ticket("2.5", of=[(lot.pk, "2.5")]))
        assert place(self.ticket("2", of=[(lot.pk, "2")])).is_accepted

    def test_of_another_account_are_not_there(self, trade, account):
        trade(buy(quantity="5"), price="100", day=0)
        other = factories.new_account(factories.BOB)
        with acting_as(SYSTEM):
            theirs = Lot.objects.create(
                id=new_id(),
                account_id=other.pk,
                user_id=other.user_id,
                root_id=new_id(),
                symbol="AAPL",
                quantity=5,
                remaining=5,
                basis_source="UNKNOWN",
            )

        with pytest.raises(services.LotsNotThere):
            trade(self.ticket("5", of=[(theirs.pk, "5")]), price="130", day=1)


class TestOverHttp:
    def test_lots_are_listed_with_amounts_as_text(self, trade, alice, account):
        order = trade(buy(quantity="3"), price="100.10", day=0)
        trade(sell(quantity="1"), price="120", day=1)

        (lot,) = alice.get(f"/api/account/{account.pk}/lots").json()["lots"]

        assert lot["order_id"] == str(order.pk)
        assert (lot["symbol"], lot["qty"], lot["remaining_qty"]) == ("AAPL", "3", "2")
        assert (lot["cost_basis"], lot["cost_per_share"]) == ("200.20", "100.10")
        assert (lot["wash_sale_adjustment"], lot["basis_source"]) == ("0.00", "TRADE")

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 2),
            ("?open=true", 1),
            ("?open=false", 1),
            ("?symbol=aapl", 2),
            ("?symbol=MSFT", 0),
            ("?limit=1", 1),
            ("?limit=1&offset=1", 1),
            ("?limit=1&offset=2", 0),
        ],
    )
    def test_lots_are_found(self, trade, alice, account, query, count):
        trade(buy(quantity="3"), price="100", day=0)
        trade(sell(quantity="3"), price="120", day=1)
        trade(buy(quantity="1"), price="100", day=2)

        answer = alice.get(f"/api/account/{account.pk}/lots{query}").json()

        assert len(answer["lots"]) == count
        assert answer["next"] == (1 if query == "?limit=1" else None)

    def test_gains_are_added_up_by_term(self, trade, alice, account):
        trade(buy(quantity="10"), price="100", day=-400)
        trade(buy(quantity="10"), price="120", day=0)
        trade(sell(quantity="15"), price="110", day=20)  # 10 at a gain, 5 at a loss
        trade(buy(quantity="2"), price="111", day=30)

        answer = alice.get(f"/api/account/{account.pk}/gains?year=2026").json()

        assert answer["long_term"] == {
            "proceeds": "1100.00",
            "cost_basis": "1000.00",
            "gain": "100.00",
            "wash_sale_disallowed": "0.00",
            "taxable_gain": "100.00",
            "count": 1,
            "unknown_count": 0,
        }
        # 5 sold for 550 that cost 600; 2 of them were bought again: 20.00 do not count.
        assert answer["short_term"]["gain"] == "-50.00"
        assert answer["short_term"]["wash_sale_disallowed"] == "20.00"
        assert answer["short_term"]["taxable_gain"] == "-30.00"
        assert answer["unknown_term"]["count"] == 0
        assert [sale["qty"] for sale in answer["sales"]] in (["10", "5"], ["5", "10"])
        assert alice.get(f"/api/account/{account.pk}/gains?year=2025").json()["sales"] == []

    @pytest.mark.parametrize(
        "query", ["year=x", "year=99999", "limit=0", "limit=1e3", "offset=-1", "year=2026.5"]
    )
    def test_a_question_that_makes_no_sense_is_refused_by_name(self, alice, account, query):
        answer = alice.get(f"/api/account/{account.pk}/gains?{query}")

        assert (answer.status_code, list(answer.json()["field_errors"])) == (
            400,
            [query.partition("=")[0]],
        )

    @pytest.mark.parametrize("path", ["lots", "gains", "lot-method"])
    def test_those_of_another_customer_are_not_found(self, bob, account, path):
        assert bob.get(f"/api/account/{account.pk}/{path}").status_code == 404
