"""Who works on a sign-in locks in the same order as whoever brings news of it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts import services as account_services
from accounts.tests.factories import make_account, now
from core.auth import SYSTEM, acting_as
from core.tests.locks import wait_until_somebody_waits
from funding.models import AchRelationship, LinkSession, PlaidItem
from funding.services import bank_upkeep, items
from funding.tests.signing_in import bring, items_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def beside():
    """Run something in another thread, with a connection of its own."""

    def run(act):
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield lambda act: pool.submit(run, act)


def test_news_of_a_page_and_its_item_meets_the_bank_that_is_made(funds, links, beside):
    account, token = make_account(), links.sign_in()
    has_come, may_go_on = threading.Event(), threading.Event()
    make = links.make_processor_token

    def wait(access_token, account_id):
        has_come.set()
        may_go_on.wait(60)
        return make(access_token, account_id)

    links.make_processor_token = wait
    linked = beside(lambda: bring(account, token).state)
    assert has_come.wait(60)
    (item,) = items_of(account)

    with acting_as(SYSTEM):
        LinkSession.objects.update(due_at=now())
        may_go_on.set()
        wait_until_somebody_waits()
        items.nudge(item_ids={item.item_id})

    assert linked.result(60) == "LINKED"


def test_a_bank_that_goes_meets_a_sign_in_that_breaks(funds, links, beside):
    account = make_account()
    bank = bring(account, links.sign_in()).relationship

    def go():
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=account.pk)
            locked = AchRelationship.objects.locked(bank.pk)
            bank_upkeep.note_status(locked, "CANCELED", told_at=None, at=now())

    with acting_as(SYSTEM):
        PlaidItem.objects.select_for_update(no_key=True).get(pk=bank.item_id)
        gone = beside(go)
        wait_until_somebody_waits()
        account_services.push(
            account_id=account.pk, user_id=account.user_id, kind="bank.login_broken", payload={}
        )

    gone.result(60)
    assert [item.state for item in items_of(account)] == ["REMOVING"]
