"""From a page at Plaid to a bank at the broker and back, against the real sandbox."""

import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from celery import current_app
from django.db import connection
from rest_framework.test import APIClient

from accounts import services as account_services
from accounts.tests.factories import application, customer
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time
from core.vendors.transport import Transport
from funding.gateways import (
    ITEM_GONE,
    PageRequest,
    get_bank_sign_in,
    get_funds,
    plaid_webhooks,
)
from funding.models import AchRelationship, LinkSession, PlaidItem
from funding.services import bank_upkeep, items, linking
from funding.tests.factories import BANK

REDIRECT = "https://app.example.com/callback"
LINK, PROCESS = "/create-ach-relationship-link", "/process-plaid-token"

pytestmark = pytest.mark.django_db(transaction=True)


def now():
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def _new_keys(monkeypatch):
    plaid_webhooks.KEYS.forget()
    # Two webhooks at one moment need one key, and the sandbox may be slow to show it.
    monkeypatch.setattr(plaid_webhooks.Keys, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def owner(sandbox):
    """Somebody with an account that the broker has opened."""
    who = customer()
    account = account_services.open_account(
        principal=who, application=application(), request=None, at=now()
    )
    sandbox.advance(10)
    account_services.refresh_account(principal=who, account_id=account.pk)
    return who, account


@pytest.fixture
def client(owner):
    client = APIClient()
    client.force_authenticate(user=owner[0])
    return client


@pytest.fixture
def web(settings):
    """An address at which webhooks arrive over the wire and go on to the real view."""
    taken = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                answer = APIClient().post(
                    self.path,
                    data=body,
                    content_type="application/json",
                    HTTP_PLAID_VERIFICATION=self.headers["plaid-verification"],
                )
            finally:
                connection.close()
            self.send_response(answer.status_code)
            self.end_headers()
            taken.append(answer.status_code)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.PLAID_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/webhook/plaid"
    yield taken
    server.shutdown()
    server.server_close()


def until(condition):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("It has not come about.")


def open_page(client, account, **more):
    answer = client.post(
        LINK, {"accountId": str(account.pk), "redirectUri": REDIRECT, **more}, format="json"
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def session_of(page):
    with acting_as(SYSTEM):
        return LinkSession.objects.select_related("item", "relationship").get(pk=page["session_id"])


def only(model):
    with acting_as(SYSTEM):
        return model.objects.get()


def work():
    """Do what the workers do when a webhook has nudged them."""
    current_app.loader.import_default_modules()
    for name in ("apply_webhooks", "sweep_links", "refresh_items"):
        current_app.tasks[f"funding.{name}"]()


class TestLinking:
    @pytest.mark.parametrize("institution", ["ins_109508", "ins_109509"])
    def test_a_webhook_brings_the_bank_at_once(self, sandbox, owner, client, web, institution):
        page = open_page(client, owner[1])

        assert sandbox.sign_in(page["link_url"], institution=institution) == REDIRECT
        until(lambda: web == [200])
        work()

        session = session_of(page)
        bank = session.relationship
        assert (session.state, bank.state, bank.account_type) == ("LINKED", "ACCEPTED", "CHECKING")
        assert len(bank.number_last4) == 4
        assert bank.bank_name.startswith("First ")
        assert session.item.institution_id == institution
        for effect in ("public_token.exchanged", "processor_token.created"):
            assert len(sandbox.effects(effect)) == 1
        sandbox.advance(5)
        bank_upkeep.refresh_relationships(at=now())
        assert only(AchRelationship).is_usable

    def test_without_a_webhook_the_poll_finds_it(self, sandbox, owner, client):
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"], account="savings")
        pass_time(6)

        linking.sweep_links(at=now())

        assert session_of(page).state == "LINKED"
        assert only(AchRelationship).account_type == "SAVINGS"

    def test_the_returning_customer_and_a_webhook_twice_link_once(
        self, sandbox, owner, client, web
    ):
        sandbox.fault(kind="webhook_duplicate", vendor="plaid", path="LINK/SESSION_FINISHED")
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"])
        until(lambda: web == [200, 200])

        body = {"accountId": str(owner[1].pk), "sessionId": page["session_id"]}
        answers = [client.post(PROCESS, body, format="json") for _ in range(2)]
        work()

        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert len(sandbox.effects("ach_relationship.created")) == 1

    def test_a_page_that_was_left_may_be_finished_later(self, sandbox, owner, client, web):
        page = open_page(client, owner[1])
        assert sandbox.leave(page["link_url"]) == REDIRECT
        until(lambda: web == [200])
        work()
        assert session_of(page).state == "OPEN"

        sandbox.sign_in(page["link_url"])
        until(lambda: web == [200, 200])
        work()

        assert session_of(page).state == "LINKED"

    def test_a_token_from_the_browser_is_linked_in_place(self, sandbox, owner, client):
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"])
        progress = get_bank_sign_in().read_progress(session_of(page).link_token())
        body = {"accountId": str(owner[1].pk), "public_token": progress.signed_in.public_token}

        first, again = (client.post(PROCESS, body, format="json") for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert {"id", "status", "created_at"} <= set(first.json())
        assert len(sandbox.effects("public_token.exchanged")) == 1

    def test_a_lost_exchange_is_not_repeated(self, sandbox, owner, client):
        path = "/item/public_token/exchange"
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"])
        sandbox.fault(kind="hang_after_accept", vendor="plaid", method="POST", path=path)
        body = {"accountId": str(owner[1].pk), "sessionId": page["session_id"]}

        answer = client.post(PROCESS, body, format="json")
        sandbox.hangs_no_more()
        pass_time(40)
        work()

        assert (answer.status_code, answer.json()["code"]) == (422, "sign_in_failed")
        assert len(sandbox.effects("public_token.exchanged")) == 1
        assert sandbox.effects("ach_relationship.created") == []

    def test_the_brokers_second_bank_ends_it_and_removes_the_item(self, sandbox, owner, client):
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"])
        get_funds().link_bank(owner[1].broker_account_id, BANK)  # of which we know nothing
        body = {"accountId": str(owner[1].pk), "sessionId": page["session_id"]}

        answer = client.post(PROCESS, body, format="json")
        linking.sweep_links(at=now())

        assert (answer.status_code, answer.json()["code"]) == (409, "relationship_exists")
        assert only(PlaidItem).state == "REMOVED"
        assert len(sandbox.effects("item.removed")) == 1


class TestItems:
    @pytest.fixture
    def page(self, sandbox, owner, client, web):
        page = open_page(client, owner[1])
        sandbox.sign_in(page["link_url"])
        until(lambda: len(web) == 1)
        work()
        return page

    def reset_login(self, sandbox, page):
        plaid_call("/sandbox/item/reset_login", access_token=session_of(page).item.access_token())

    def test_a_bank_that_wants_its_customer_again_is_mended(
        self, sandbox, owner, client, web, page
    ):
        self.reset_login(sandbox, page)
        until(lambda: len(web) == 2)
        work()
        assert only(PlaidItem).state == "LOGIN_REQUIRED"
        bank = session_of(page).relationship

        mending = open_page(client, owner[1], relationshipId=bank.public_id)
        sandbox.sign_in(mending["link_url"], account=None)
        until(lambda: len(web) == 3)
        work()

        assert (only(PlaidItem).state, session_of(mending).state) == ("LIVE", "UPDATED")
        assert len(sandbox.effects("ach_relationship.created")) == 1

    def test_one_that_is_given_up_is_gone_at_plaid(self, sandbox, page):
        item = session_of(page).item
        token = item.access_token()
        with acting_as(SYSTEM):
            items.give_up(item_id=item.pk, at=now())

        linking.sweep_links(at=now())
        linking.sweep_links(at=now())

        assert only(PlaidItem).state == "REMOVED"
        assert len(sandbox.effects("item.removed")) == 1
        for call in ("read_item", "list_accounts", "remove_item"):
            with pytest.raises(VendorRejected) as refusal:
                getattr(get_bank_sign_in(), call)(token)
            assert refusal.value.vendor_code == ITEM_GONE
            assert token not in refusal.value.detail


def plaid_call(path, **body):
    """Do what only Plaid's own sandbox can do."""
    from funding.gateways.plaid import _plaid

    return _plaid().write("POST", path, json=body)


class TestWebhooks:
    def test_a_new_key_of_plaids_is_fetched_when_it_signs(self, sandbox, owner, client, web):
        page = open_page(client, owner[1])
        sandbox.leave(page["link_url"])
        until(lambda: web == [200])
        sandbox.control("POST", "/webhook-keys", {"rotate": True})

        sandbox.sign_in(page["link_url"])
        until(lambda: web == [200, 200])
        work()

        assert session_of(page).state == "LINKED"


class TestTheAdapter:
    def test_a_refusal_quotes_no_token(self, sandbox):
        for call in (
            lambda: get_bank_sign_in().exchange("public-sandbox-secret"),
            lambda: get_bank_sign_in().read_progress("link-sandbox-secret"),
            lambda: get_bank_sign_in().read_item("access-sandbox-secret"),
        ):
            with pytest.raises(VendorRejected) as refusal:
                call()
            assert "secret" not in str(refusal.value)

    def test_nothing_that_holds_a_token_shows_it(self, sandbox):
        page = get_bank_sign_in().create_page(PageRequest(customer="c", redirect_uri=REDIRECT))

        assert page.token not in repr(page)
        assert "secret" not in repr(
            PageRequest(customer="c", redirect_uri=REDIRECT, access_token="secret")
        )

    def test_not_being_let_in_is_no_word_about_what_was_asked(self, sandbox, settings):
        settings.PLAID_SECRET = "wrong"

        for call in (
            lambda: get_bank_sign_in().read_item("access-sandbox-any"),
            lambda: get_bank_sign_in().exchange("public-sandbox-any"),
            lambda: get_bank_sign_in().find_webhook_key("11111111-2222"),
        ):
            with pytest.raises(VendorUnavailable):
                call()

    def test_an_id_that_is_too_long_to_keep_is_as_good_as_no_answer(self, monkeypatch):
        accounts = [{"account_id": "x" * 65}]
        answer = {"item_id": "x" * 65, "access_token": "access-1", "accounts": accounts}
        monkeypatch.setattr(Transport, "_call", lambda *_, **__: answer)

        with pytest.raises(VendorUnclear):
            get_bank_sign_in().exchange("public-1")
        with pytest.raises(VendorUnavailable):
            get_bank_sign_in().list_accounts("access-1")

    def test_a_key_that_plaid_does_not_know_is_none(self, sandbox):
        assert get_bank_sign_in().find_webhook_key("11111111-2222") is None
