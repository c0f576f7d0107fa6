"""Those who bring a sign-in at the same moment lead to one bank."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.tests.factories import make_account, now
from core.errors import CleraError
from funding.services import linking
from funding.tests.signing_in import banks_of, bring, items_of, page, session_of, sweep

THREADS = 8

pytestmark = pytest.mark.django_db(transaction=True)


def together(act):
    """Run `act(number)` in all threads at once and return what came of each."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(timeout=60)
        try:
            return act(number)
        except CleraError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_one_token_is_exchanged_once(funds, links):
    account, token = make_account(), links.sign_in()

    outcomes = together(lambda _: bring(account, token).pk)

    assert len(set(outcomes)) == 1
    assert links.calls.count("exchange") == len(funds.bank_accounts) == 1
    assert session_of(account).state == "LINKED"


def test_of_many_tokens_one_becomes_the_bank_and_the_other_items_are_removed(funds, links):
    account = make_account()
    tokens = [links.sign_in() for _ in range(THREADS)]

    outcomes = together(lambda number: bring(account, tokens[number]).state)
    sweep(4, after=35)

    allowed = {"LINKED", "EXCHANGED", "OPEN", "duplicate_item", "relationship_exists"}
    assert set(outcomes) <= allowed
    assert len(funds.bank_accounts) == len(banks_of(account)) == 1
    states = [item.state for item in items_of(account)]
    assert sorted(set(states)) in (["LIVE"], ["LIVE", "REMOVED"])
    assert states.count("LIVE") == 1


def test_one_token_for_many_accounts_is_one_accounts(funds, links):
    token = links.sign_in()
    mine = [make_account() for _ in range(THREADS)]

    outcomes = together(lambda number: bring(mine[number], token).state)

    assert sorted(outcomes) == ["LINKED", *["invalid"] * (THREADS - 1)]
    assert links.calls.count("exchange") == 1


def test_the_sweep_the_browser_and_the_returning_customer_do_one_thing(funds, links):
    account = make_account()
    opened = page(account)
    token = links.finish(opened.token)

    def act(number):
        if number % 2:
            return bring(account, token).state
        return linking.go_on(opened.session_id, at=now()).state

    together(act)
    sweep(3, after=35)

    assert links.calls.count("exchange") == len(funds.bank_accounts) == 1
    assert len(banks_of(account)) == len(items_of(account)) == 1
