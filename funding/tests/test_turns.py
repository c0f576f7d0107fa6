"""A Plaid that hangs must not hold the workers that move money."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.tests.factories import make_account, now
from core import leases
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable
from core.tests.parcels import pass_time
from funding.models import LinkSession, PlaidItem
from funding.services import items, linking, turns
from funding.tests.signing_in import AWAY, bring, page, session_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendors(funds):
    return funds


@pytest.fixture
def hanging(links, monkeypatch, settings):
    """Plaid, which takes long to give no answer."""
    settings.VENDOR_TOTAL_SECONDS = 0.05

    def hang(_token):
        links.calls.append("hangs")
        threading.Event().wait(0.06)
        raise VendorUnavailable("fake", "no answer in time")

    monkeypatch.setattr(links, "read_progress", hang)
    monkeypatch.setattr(links, "remove_item", hang)
    monkeypatch.setattr(links, "read_item", hang)
    return links


def five_pages():
    for _ in range(5):
        page(make_account())
    pass_time(6)


def test_one_call_that_hangs_ends_the_pass_and_nobody_calls_for_a_while(hanging):
    five_pages()

    for _ in range(3):
        linking.sweep_links(at=now())

    assert hanging.calls.count("hangs") == 1
    pass_time(turns.REST_SECONDS + 1)
    linking.sweep_links(at=now())
    assert hanging.calls.count("hangs") == 2


def test_an_item_that_hangs_ends_the_pass_too(links, hanging):
    for _ in range(3):
        with acting_as(SYSTEM):
            account = make_account()
            PlaidItem.keep(account=account, item_id=str(account.pk), access_token="a")
    with acting_as(SYSTEM):
        LinkSession.objects.all().delete()
        PlaidItem.objects.update(state="REMOVING")
        pass_time(6 * 3600 + 1)

    for _ in range(3):
        linking.sweep_links(at=now())
        items.refresh_items(at=now())

    assert hanging.calls.count("hangs") == 1


def test_failures_that_are_quick_stop_nobody(links):
    five_pages()
    links.reading_fails = AWAY

    linking.sweep_links(at=now())
    pass_time(7)
    linking.sweep_links(at=now())

    assert links.calls.count("read_progress") == 10


def test_what_comes_due_during_a_pass_is_not_left_to_the_next(links, monkeypatch):
    first, second = make_account(), make_account()
    opened = [page(first), page(second)]
    for each in opened:
        links.finish(each.token)
    with acting_as(SYSTEM):
        LinkSession.objects.filter(account_id=first.pk).update(due_at=now())
    read = links.read_progress

    def meanwhile(token):
        with acting_as(SYSTEM):
            LinkSession.objects.filter(account_id=second.pk, looks=0).update(due_at=now())
        return read(token)

    monkeypatch.setattr(links, "read_progress", meanwhile)

    linking.sweep_links(at=now())

    assert {session_of(account).state for account in (first, second)} == {"LINKED"}


@pytest.mark.django_db(transaction=True)
def test_one_process_at_a_time_asks_plaid(links, monkeypatch):
    opened = [page(make_account()) for _ in range(2)]
    with acting_as(SYSTEM):
        LinkSession.objects.update(due_at=now())
    inside, go_on = threading.Event(), threading.Event()
    read = links.read_progress

    def wait(token):
        inside.set()
        go_on.wait(60)
        return read(token)

    monkeypatch.setattr(links, "read_progress", wait)

    def sweep():
        try:
            return linking.sweep_links(at=now())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sweep)
        assert inside.wait(60)
        assert linking.sweep_links(at=now()) == 0
        go_on.set()
        assert first.result() == len(opened)


def test_what_comes_due_as_a_turn_ends_is_not_left_to_the_next(links, monkeypatch):
    account = make_account()
    links.finish(page(account).token)
    pass_time(6)
    late = make_account()
    links.finish(page(late).token)
    release, turned_away = leases.release, []

    def just_before(lease):
        if not turned_away:
            with acting_as(SYSTEM):
                LinkSession.objects.filter(account_id=late.pk).update(due_at=now())
            turned_away.append(linking.sweep_links(at=now()))
        release(lease)

    monkeypatch.setattr(leases, "release", just_before)

    assert linking.sweep_links(at=now()) == 2

    assert turned_away == [0]
    assert session_of(late).state == "LINKED"


def test_a_page_that_comes_due_while_an_item_is_removed_is_not_left_to_the_next(links, monkeypatch):
    goes, late = make_account(), make_account()
    links.sign_in()
    with acting_as(SYSTEM):
        (token,) = links.items
        PlaidItem.keep(account=goes, item_id="goes", access_token=token, state="REMOVING")
    links.finish(page(late).token)
    remove, turned_away = links.remove_item, []

    def meanwhile(token):
        with acting_as(SYSTEM):
            LinkSession.objects.filter(account_id=late.pk).update(due_at=now())
        turned_away.append(linking.sweep_links(at=now()))
        remove(token)

    monkeypatch.setattr(links, "remove_item", meanwhile)

    assert linking.sweep_links(at=now()) == 2

    assert turned_away == [0]
    assert session_of(late).state == "LINKED"
    with acting_as(SYSTEM):
        assert PlaidItem.objects.get(account_id=goes.pk).state == "REMOVED"


def test_a_browser_need_not_wait_for_its_turn(links, hanging):
    five_pages()
    linking.sweep_links(at=now())
    account = make_account()

    assert bring(account, links.sign_in()).state == "EXCHANGED"
