"""What accounts hold is read in a few statements, however many accounts there are."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable
from funding.tests.factories import make_bank, make_transfer
from market.tests import factories as market_factories
from portfolio import selectors
from trading.tests import day_records
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
# The holdings and what changed them today, what is on its way, and the instruments.
STATEMENTS = 3


@pytest.fixture(autouse=True)
def vendors():
    vendors = market_factories.vendors("AAPL", "MSFT")
    with market_factories.gateways.use(vendors):
        yield vendors


@pytest.fixture
def accounts():
    """Three accounts that hold and have done different things, and one that was never read."""
    for symbol in ("AAPL", "MSFT", "GONE"):
        trading.new_instrument(symbol)
    holder, trader, mover, stranger = (trading.new_account(f"{n}-sub") for n in range(4))
    trading.fund(holder, cash="1000.00", positions={"MSFT": "2", "AAPL": "3"})
    trading.fund(trader, cash="5.00", positions={"AAPL": "5", "NOBODY": "1"})
    day_records.fill(trader, Decimal(2), Decimal("98.50"), at=NOW)
    day_records.fill(trader, Decimal(-4), Decimal(10), at=NOW, symbol="GONE")
    day_records.fill(trader, Decimal(7), Decimal(10), at=NOW, symbol="GONE", is_busted=True)
    day_records.move(trader, "SPLIT", Decimal(1), at=NOW, cost=Decimal(0))
    trading.fund(mover, cash="7.00")
    make_transfer(make_bank(mover), amount="250.00", status="QUEUED")
    return [holder, trader, mover, stranger]


def load(accounts, **more):
    return selectors.load_holdings(account_ids=[one.pk for one in accounts], at=NOW, **more)


def reads(statements):
    """Leave out what opens and ends transactions, and says who asks."""
    return [
        one["sql"]
        for one in statements
        if not one["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
        and "set_config" not in one["sql"]
    ]


def test_all_of_it_is_found(accounts):
    holder, trader, mover, stranger = (load(accounts)[one.pk] for one in accounts)

    assert [(p.symbol, p.quantity, p.opening_quantity) for p in holder.positions] == [
        ("AAPL", 3, 3), ("MSFT", 2, 2),
    ]  # fmt: skip
    assert [
        (p.symbol, p.quantity, p.opening_quantity, p.spent_today, p.number is None)
        for p in trader.positions
    ] == [("AAPL", 5, 2, 197, False), ("GONE", 0, 4, -40, False), ("NOBODY", 1, 1, 0, True)]
    assert (mover.cash, mover.pending_deposits, mover.positions) == (7, 250, ())
    assert (stranger.cash, stranger.positions) == (None, ())


def test_many_are_read_as_each_by_itself(accounts):
    assert load(accounts) == {one.pk: load([one])[one.pk] for one in accounts}


def test_takes_as_many_statements_for_one_as_for_all(accounts):
    known = [accounts[0], accounts[2], accounts[3]]
    for some in (known[:1], known):
        with CaptureQueriesContext(connection) as told:
            load(some)

        assert len(reads(told.captured_queries)) == STATEMENTS


@pytest.mark.django_db(transaction=True)
def test_is_one_transaction_and_none_is_open_while_the_broker_is_asked(accounts, vendors):
    asked, ask = [], vendors.broker.find_asset

    def find_asset(symbol):
        asked.append((symbol, connection.in_atomic_block))
        return ask(symbol)

    vendors.broker.find_asset = find_asset
    with CaptureQueriesContext(connection) as told:
        load(accounts)

    assert asked == [("NOBODY", False)]
    assert [one["sql"] for one in told].count("BEGIN") == 1


@pytest.mark.django_db(transaction=True)
def test_a_fill_that_is_booked_meanwhile_is_in_all_of_it_or_in_nothing():
    trading.new_instrument("AAPL")
    account = trading.new_account()
    trading.fund(account, cash="900.00", positions={"AAPL": "5"})

    def book():
        with acting_as(SYSTEM):
            day_records.fill(account, Decimal(2), Decimal(100), at=NOW)
            day_records.hold(account, cash="700.00", positions={"AAPL": Decimal(7)})
        connection.close()

    def book_after_first(execute, sql, *rest):
        found = execute(sql, *rest)
        if "trading_cashbalance" in sql and bookings:
            booking = threading.Thread(target=bookings.pop())
            booking.start()
            booking.join()
        return found

    bookings = [book]
    with connection.execute_wrapper(book_after_first):
        before, after = load([account])[account.pk], load([account])[account.pk]

    told = [
        (one.cash, p.quantity, p.opening_quantity, p.spent_today)
        for one in (before, after)
        for p in one.positions
    ]
    assert told == [(900, 5, 5, 0), (700, 7, 5, 200)]


@pytest.mark.parametrize(("hours", "close"), [(0, Decimal(90)), (48, None)])
def test_the_brokers_previous_close_counts_on_the_day_it_was_read_only(accounts, hours, close):
    read_at = NOW - timedelta(hours=hours)
    day_records.close_told(accounts[0], Decimal(90), read_at=read_at)

    assert {p.previous_close for p in load(accounts)[accounts[0].pk].positions} == {close}


def test_a_broker_that_does_not_answer_is_waited_for_once(accounts, vendors):
    names = ["AAPL", *(f"NEW{letter}" for letter in "ABC")]
    day_records.hold(accounts[0], cash="1.00", positions=dict.fromkeys(names, Decimal(1)))
    asked = []

    def find_asset(symbol):
        asked.append(symbol)
        raise VendorUnavailable("alpaca", "Nobody is there.")

    vendors.broker.find_asset = find_asset

    found = load(accounts)

    assert asked == ["NEWA"]
    assert found[accounts[0].pk].unlisted() == names[1:]
    # The second one holds something that nobody has ever heard of.
    assert [found[account.pk].is_settled for account in accounts] == [False, False, True, True]


def test_a_name_that_the_broker_refuses_does_not_hide_those_after_it(accounts, vendors):
    day_records.hold(accounts[0], cash="1.00", positions={"NEWA": Decimal(1), "NEWB": Decimal(1)})
    find = vendors.broker.find_asset

    def find_asset(symbol):
        if symbol == "NEWA":
            raise VendorRejected("alpaca", "No such form of a name.", http_status=422)
        return find(symbol)

    vendors.broker.assets["NEWB"] = market_factories.asset("NEWB")
    vendors.broker.find_asset = find_asset

    assert load(accounts[:1])[accounts[0].pk].unlisted() == ["NEWA"]


def test_shows_nobody_what_is_somebody_elses(accounts):
    found = load(accounts, principal=trading.customer("1-sub"))

    assert [found[one.pk].cash for one in accounts] == [None, Decimal("5.00"), None, None]
    assert [len(found[one.pk].positions) for one in accounts] == [0, 3, 0, 0]
    assert not found[accounts[2].pk].pending_deposits
    with acting_as(SYSTEM):
        assert load(accounts)[accounts[2].pk].pending_deposits == 250
