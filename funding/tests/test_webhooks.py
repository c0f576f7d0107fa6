"""A webhook of Plaid's is kept once, and is a hint of what to read."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import ServiceBusy, VendorUnavailable
from core.tests.parcels import pass_time
from funding.gateways import WebhookKey, plaid_webhooks
from funding.gateways.plaid_webhooks import Forged
from funding.models import LinkSession
from funding.services import items, linking, turns, webhooks
from funding.services import links as pages
from funding.tests.plaid_signing import (
    BODY,
    EXPIRED,
    KID,
    OTHER,
    PRIVATE,
    jwk,
    kept,
    post,
    sign,
    verify,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plaid(funds, links):
    """Plaid, with one key that is good and one that is not any more."""
    links.keys[KID] = WebhookKey(jwk(PRIVATE), None)
    links.keys[EXPIRED] = WebhookKey(jwk(OTHER, EXPIRED), datetime.now(UTC) - timedelta(days=1))
    plaid_webhooks.KEYS.forget()
    yield links
    plaid_webhooks.KEYS.forget()


@pytest.fixture
def one_hour(monkeypatch):
    """Have no new hour begin, in which the same webhook would count as another one."""
    now = datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)


class TestAGoodOne:
    def test_is_kept_without_its_tokens_and_answered(self):
        tokens = {"link_token": "link-sandbox-secret", "public_tokens": ["public-sandbox-secret"]}
        told = {"webhook_type": "LINK", "webhook_code": "SESSION_FINISHED", "status": "SUCCESS"}
        body = json.dumps(told | tokens).encode()

        answer = post(body)

        assert (answer.status_code, answer.json()) == (200, {"received": True})
        (event,) = kept()
        assert {name: event.payload[name] for name in told} == told
        assert "secret" not in str(event.__dict__)

    def test_is_kept_once_however_often_it_comes(self, one_hour):
        assert {post().status_code for _ in range(5)} == {200}

        assert len(kept()) == 1

    def test_asks_for_the_key_once(self, links):
        for _ in range(5):
            post()

        assert links.calls == ["find_webhook_key"]

    @pytest.mark.parametrize("seconds", [-299, 0, 59])
    def test_may_be_five_minutes_old_or_a_minute_ahead(self, seconds):
        now = datetime.now(UTC)

        verify(BODY, sign(at=now + timedelta(seconds=seconds)), at=now)

    @pytest.mark.parametrize("body", [b"[]", b"not json", b'{"a":1,"a":2}', b"\xff"])
    def test_that_is_no_object_is_refused_and_not_kept(self, body):
        assert post(body).status_code == 400
        assert kept() == []

    def test_of_a_kind_of_next_year_is_kept_and_harmless(self):
        body = b'{"webhook_type": "MOON", "webhook_code": 7, "item_id": null, "new": [1]}'

        assert post(body).status_code == 200
        assert webhooks.apply_webhooks() == 1


class TestKeys:
    @pytest.fixture(autouse=True)
    def _away_for_longer_than_a_test_takes(self, monkeypatch):
        monkeypatch.setattr(plaid_webhooks.Keys, "AWAY_SECONDS", 600.0)

    @pytest.fixture
    def later(self):
        """Let time pass for the keys that are held."""

        def pass_for(seconds):
            keys = plaid_webhooks.KEYS
            for name, held in keys._held.items():
                keys._held[name] = replace(held, fetched_at=held.fetched_at - seconds)

        return pass_for

    def test_names_that_nobody_knows_cost_a_handful_of_calls(self, links):
        post()
        answers = [
            post(signature=sign(kid=f"{number:08}-aaaa", private=OTHER)).status_code
            for number in range(40)
        ]

        assert links.calls.count("find_webhook_key") <= plaid_webhooks.Keys.FETCHES_A_MINUTE
        assert set(answers) == {401, 503}
        assert post(b'{"still": "good"}').status_code == 200
        assert len(kept()) == 2

    def test_a_name_once_found_unknown_is_not_asked_for_again(self, links):
        for _ in range(10):
            assert post(signature=sign(kid="aaaa-bbbb")).status_code == 401

        assert links.calls == ["find_webhook_key"]

    def test_while_plaid_is_away_the_sender_is_asked_to_come_back(self, links):
        links.reading_fails = VendorUnavailable("fake", "not connected")
        answers = [post() for _ in range(5)]

        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer["Retry-After"]) > 0 for answer in answers)
        assert links.calls == ["find_webhook_key"]
        assert kept() == []

    def test_a_key_that_ends_is_good_until_then(self, links):
        ends = datetime.now(UTC) + timedelta(seconds=30)
        links.keys[KID] = WebhookKey(jwk(PRIVATE), ends)

        verify(BODY, sign())
        with pytest.raises(Forged):
            verify(BODY, sign(at=ends), at=ends)

    @pytest.mark.parametrize(
        "changes",
        [
            {"kid": "another"},
            {"kty": "RSA"},
            {"crv": "P-384"},
            {"alg": "HS256"},
            {"x": "AAAA"},
            {"y": None},
            {"x": "A" * 43},
        ],
    )
    def test_what_is_no_key_of_this_name_and_kind_opens_nothing(self, links, changes):
        links.keys[KID] = WebhookKey(jwk(PRIVATE) | changes, None)

        assert post().status_code == 401

    def test_a_key_once_had_serves_on_for_a_day_while_plaid_cannot_tell(self, links, later):
        verify(BODY, sign())
        links.reading_fails = VendorUnavailable("fake", "not connected")

        later(plaid_webhooks.Keys.FRESH_SECONDS + 1)
        verify(BODY, sign())
        verify(BODY, sign())
        assert links.calls == ["find_webhook_key"] * 2
        later(plaid_webhooks.Keys.KEPT_SECONDS)
        with pytest.raises(ServiceBusy):
            verify(BODY, sign())

    def test_a_key_once_had_does_not_wait_for_a_call_about_another(self, links, later, monkeypatch):
        monkeypatch.setattr(plaid_webhooks.Keys, "PATIENCE_SECONDS", 60.0)
        verify(BODY, sign())
        later(plaid_webhooks.Keys.FRESH_SECONDS + 1)

        with plaid_webhooks.KEYS._lock:
            began = time.monotonic()
            verify(BODY, sign())

        assert time.monotonic() - began < plaid_webhooks.Keys.PATIENCE_SECONDS / 2
        assert links.calls == ["find_webhook_key"]

    def test_a_key_that_is_there_no_more_opens_nothing_after_an_hour(self, links, later):
        verify(BODY, sign())
        del links.keys[KID]

        later(plaid_webhooks.Keys.FRESH_SECONDS + 1)

        with pytest.raises(Forged):
            verify(BODY, sign())

    def test_a_service_that_cannot_tell_says_so(self, links):
        links.reading_fails = VendorUnavailable("fake", "not connected")

        with pytest.raises(ServiceBusy):
            verify(BODY, sign())


class TestWhatItLeadsTo:
    @pytest.fixture
    def opened(self):
        account = make_account()
        return account, pages.create_link(
            principal=customer(account.user_id),
            account_id=account.pk,
            redirect_uri="https://app.example.com/callback",
        )

    def state_of(self, session_id):
        with acting_as(SYSTEM):
            return LinkSession.objects.get(pk=session_id).state

    def finished(self, page):
        told = {"webhook_type": "LINK", "webhook_code": "SESSION_FINISHED", "status": "SUCCESS"}
        return json.dumps(told | {"link_token": page.token}).encode()

    def test_a_finished_page_is_looked_at_at_once(self, links, opened):
        _, page = opened
        pass_time(7200)
        linking.sweep_links(at=now())  # by now it is asked about every five minutes
        links.finish(page.token)
        linking.sweep_links(at=now())
        assert self.state_of(page.session_id) == "OPEN"

        post(self.finished(page))
        webhooks.apply_webhooks()
        linking.sweep_links(at=now())

        assert self.state_of(page.session_id) == "LINKED"

    def test_it_is_only_a_hint_what_counts_is_what_plaid_says_when_asked(self, links, opened):
        _, page = opened

        post(self.finished(page))
        webhooks.apply_webhooks()
        linking.sweep_links(at=now())

        assert self.state_of(page.session_id) == "OPEN"
        assert "exchange" not in links.calls

    def test_in_any_order_the_end_is_the_same(self, links, opened):
        _, page = opened
        links.finish(page.token)
        for body in (BODY, self.finished(page), BODY):
            post(body)
            webhooks.apply_webhooks()
            linking.sweep_links(at=now())
        item = links.only_item()
        item.error_code = "ITEM_LOGIN_REQUIRED"
        error = json.dumps({"webhook_type": "ITEM", "item_id": item.item_id}).encode()
        post(self.finished(page) + b" ")
        post(error)
        webhooks.apply_webhooks()
        items.refresh_items(at=now())
        linking.sweep_links(at=now())

        with acting_as(SYSTEM):
            session = LinkSession.objects.select_related("item").get(pk=page.session_id)
        assert (session.state, session.item.state) == ("LINKED", "LOGIN_REQUIRED")


@pytest.mark.django_db(transaction=True)
def test_the_same_one_fifty_times_at_once_is_one_row_and_one_effect(
    links, funds, one_hour, monkeypatch
):
    # So many threads may have to wait longer for each other than processes do for Plaid.
    monkeypatch.setattr(plaid_webhooks.Keys, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(turns, "TURN_SECONDS", 60.0)
    account = make_account()
    page = pages.create_link(
        principal=customer(account.user_id),
        account_id=account.pk,
        redirect_uri="https://app.example.com/callback",
    )
    links.finish(page.token)
    body = json.dumps({"webhook_type": "LINK", "link_token": page.token}).encode()
    signature, threads = sign(body), 25
    barrier = threading.Barrier(threads)

    def deliver(_):
        barrier.wait(timeout=60)
        try:
            answers = [post(body, signature).status_code for _ in range(2)]
            webhooks.apply_webhooks()
            linking.sweep_links(at=now())
            return answers
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        answers = [status for each in pool.map(deliver, range(threads)) for status in each]

    assert answers == [200] * 50
    assert len(kept()) == 1
    assert links.calls.count("exchange") == len(funds.bank_accounts) == 1
    assert links.calls.count("find_webhook_key") == 1
