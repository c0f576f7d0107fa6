"""The real client with the real sandbox: its lines, its stream, its corrections."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import services as accounts
from accounts.tests.factories import application, customer
from core import inbox
from core.errors import VendorUnavailable
from core.feeds import VendorEvent
from ledger import services
from ledger.gateways.alpaca import AlpacaBooks
from ledger.services import activities
from ledger.tests.factories import cash_of, drifts_of, entries_of, pass_time, same_time

pytestmark = pytest.mark.django_db(transaction=True)
PLAN = {"weights": {"AAPL": 1}, "first_deposit": "5000", "monthly_deposit": "100", "months": 2}


@pytest.fixture
def account(sandbox):
    """A customer's active account at the sandbox."""
    principal, at = customer(), datetime.now(UTC)
    found = accounts.open_account(
        principal=principal, application=application(), request=None, at=at
    )
    sandbox.advance(5)
    return accounts.refresh_account(principal=principal, account_id=found.pk)


@pytest.fixture
def book(sandbox, account):
    """Write a line into the account's book at the sandbox."""

    def book(**line):
        path = f"/accounts/{account.broker_account_id}/activities"
        return sandbox.control("POST", path, line)

    return book


def compare(account, *, after=0):
    at = datetime.now(UTC) + timedelta(seconds=after)
    return services.compare_account(account_id=account.pk, at=at)


def read_stream(count):
    """Keep the first events of the stream, as the worker does, and apply them."""
    feed = AlpacaBooks().feed()
    with feed.open("0" * 26) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                inbox.receive(activities.SOURCE, item.position, item.payload)
                count -= 1
            if not count:
                break
    return services.apply_events()


def test_a_pretend_past_is_taken_over_to_the_cent(sandbox, account):
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", PLAN)

    made = compare(account)

    assert made.difference == 0
    assert made.new == len(entries_of(account)) > 3
    assert {"DEPOSIT", "PURCHASE"} <= {entry.kind for entry in entries_of(account)}


def test_a_past_that_comes_later_is_taken_over_as_well(sandbox, account):
    compare(account)
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", PLAN)

    made = compare(account)

    assert made.difference == 0
    assert made.new > 3
    pass_time(86_401)
    compare(account)
    same_time()
    assert drifts_of(account) == []


def test_pages_are_read_to_their_end(sandbox, account, book):
    for cents in range(1, 8):
        book(activity_type="INT", net_amount=f"0.0{cents}")
    books = AlpacaBooks(page_size=3)

    found = books.list_activities(account.broker_account_id, after=None)

    assert [line.cash for line in found] == [Decimal(f"0.0{cents}") for cents in range(1, 8)]


def test_the_stream_tells_what_the_list_shows(sandbox, account, book):
    book(activity_type="DIV", net_amount="5.00", symbol="AAPL", description="Ada Stone")
    book(activity_type="FEE", net_amount="-0.50")
    at = datetime.now(UTC) - timedelta(days=1)

    assert read_stream(2) == 2
    assert cash_of(account).total == Decimal("4.50")
    listed = AlpacaBooks().list_activities(account.broker_account_id, after=at)
    assert [line.symbol for line in listed] == ["AAPL", ""]
    assert compare(account).new == 0


def test_without_a_cursor_the_stream_begins_with_what_comes(sandbox, account, book):
    book(activity_type="DIV", net_amount="1.00")
    with AlpacaBooks().feed().open(None) as opened:
        line = book(activity_type="DIV", net_amount="2.00")
        told = next(item for item in opened if isinstance(item, VendorEvent))

    assert told.payload["id"] == line["id"]


def test_of_a_line_no_words_are_kept(sandbox, account, book):
    book(activity_type="DIV", net_amount="5.00", description="for Ada Stone")
    read_stream(1)

    kept = inbox.InboxEvent.objects.get(source=activities.SOURCE).payload
    assert "description" not in kept
    assert kept["net_amount"] == "5.00"


def test_a_correction_is_followed_by_the_stream_and_by_the_list(sandbox, account, book):
    wrong = book(activity_type="DIV", net_amount="5.00", symbol="AAPL")
    right = book(correct=wrong["id"], net_amount="6.00")
    book(cancel=right["id"])
    final = book(activity_type="DIV", net_amount="7.00")

    read_stream(4)

    assert cash_of(account).total == Decimal("7.00")
    made = compare(account)
    assert (made.new, made.difference) == (0, 0)
    assert final["id"]


def test_cash_without_a_line_is_a_difference(sandbox, account, book, may_differ):
    book(activity_type="CSD", net_amount="10.00")
    compare(account)
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/cash", {"change": "12.34"})

    compare(account)
    compare(account, after=61)

    [drift] = drifts_of(account)
    assert (drift.kind, drift.state, drift.difference) == ("BALANCE", "OPEN", Decimal("12.34"))


def test_a_broker_that_answers_nonsense_is_away(sandbox, account):
    sandbox.fault(kind="garbage", variant="html", method="GET", times=5)

    with pytest.raises(VendorUnavailable):
        compare(account)
