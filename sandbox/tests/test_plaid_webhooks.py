"""Webhooks as a receiver gets them, and the keys to check them with."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_webhook_update_request import ItemWebhookUpdateRequest
from plaid.model.sandbox_item_fire_webhook_request import SandboxItemFireWebhookRequest
from plaid.model.sandbox_item_reset_login_request import SandboxItemResetLoginRequest
from plaid.model.webhook_type import WebhookType
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

from sandbox.plaid import post
from sandbox.tests.browser import Browser, link_bank
from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import eventually
from sandbox.tests.plaid_clients import (
    connect,
    exchange,
    hosted,
    linked,
    linked_by_page,
    refusal,
    sessions,
)
from sandbox.tests.receivers import Receiver, listening
from sandbox.world import Settings, World


@pytest.fixture
def api(still_server: Server) -> PlaidApi:
    return connect(still_server)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def key(api: PlaidApi, kid: str) -> dict[str, Any]:
    answer = api.webhook_verification_key_get(WebhookVerificationKeyGetRequest(key_id=kid))
    shown: dict[str, Any] = answer.to_dict()["key"]
    return shown


def claims(api: PlaidApi, verification: str) -> dict[str, Any]:
    """Check a signature as a careful receiver does."""
    header = jwt.get_unverified_header(verification)
    assert header["alg"] == "ES256"
    public = jwt.PyJWK(key(api, header["kid"]))
    found: dict[str, Any] = jwt.decode(verification, public, algorithms=["ES256"])
    return found


def sent(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.control("webhooks", method="GET")["webhooks"]
    return found


def fire(api: PlaidApi, access_token: str, code: str) -> Any:
    return api.sandbox_item_fire_webhook(
        SandboxItemFireWebhookRequest(access_token=access_token, webhook_code=code)
    )


class TestSessions:
    def test_a_finished_session_is_told_with_its_public_token(self, still_server, api, receiver):
        created = hosted(api, webhook=receiver.url)
        link_bank(created["hosted_link_url"])

        [(raw, verification)] = receiver.wait_for(1)

        told = json.loads(raw)
        [session] = sessions(api, created)
        assert told == {
            "webhook_type": "LINK",
            "webhook_code": "SESSION_FINISHED",
            "status": "SUCCESS",
            "link_session_id": session["link_session_id"],
            "link_token": created["link_token"],
            "public_tokens": [session["results"]["item_add_results"][0]["public_token"]],
            "environment": "sandbox",
        }
        assert exchange(api, told["public_tokens"][0])["item_id"]
        assert raw == json.dumps(told, indent=2).encode()
        checked = claims(api, verification)
        assert checked["request_body_sha256"] == hashlib.sha256(raw).hexdigest()
        assert abs(checked["iat"] - time.time()) < 5

    def test_who_goes_away_is_told_of_without_a_token(self, api, receiver):
        Browser(hosted(api, webhook=receiver.url)["hosted_link_url"]).click("cancel")

        [(raw, _)] = receiver.wait_for(1)

        told = json.loads(raw)
        assert (told["status"], told["public_tokens"]) == ("EXITED", [])

    def test_a_mended_login_is_told_as_a_session_without_a_token(self, api, receiver):
        access_token = linked_by_page(api)
        created = hosted(api, access_token=access_token, webhook=receiver.url)
        Browser(created["hosted_link_url"]).click("sign-in").click("finish")

        [(raw, _)] = receiver.wait_for(1)

        told = json.loads(raw)
        assert (told["status"], told["public_tokens"]) == ("SUCCESS", [])


class TestItems:
    def test_an_item_tells_what_happens_at_its_bank(self, still_server, api, receiver):
        access_token = linked_by_page(api, webhook=receiver.url)
        receiver.wait_for(1)
        item_id = api.item_get(ItemGetRequest(access_token=access_token))["item"]["item_id"]

        api.sandbox_item_reset_login(SandboxItemResetLoginRequest(access_token=access_token))
        receiver.wait_for(2)
        broken = api.item_get(ItemGetRequest(access_token=access_token))["item"]
        still_server.control(f"items/{item_id}", {"login": "repaired"})
        receiver.wait_for(3)
        mended = api.item_get(ItemGetRequest(access_token=access_token))["item"]
        still_server.control(f"items/{item_id}", {"login": "revoked"})

        told = [json.loads(raw) for raw, _ in receiver.wait_for(4)[1:]]
        assert [each["webhook_code"] for each in told] == [
            "ERROR",
            "LOGIN_REPAIRED",
            "USER_PERMISSION_REVOKED",
        ]
        assert {each["item_id"] for each in told} == {item_id}
        assert told[0]["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
        assert broken["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
        assert mended["error"] is None
        gone = lambda: api.item_get(ItemGetRequest(access_token=access_token))  # noqa: E731
        assert refusal(gone) == (400, "ITEM_NOT_FOUND")

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("ERROR", "ITEM"),
            ("USER_PERMISSION_REVOKED", "ITEM"),
            ("PENDING_DISCONNECT", "ITEM"),
            ("DEFAULT_UPDATE", "AUTH"),
        ],
    )
    def test_a_fired_webhook_comes_and_changes_nothing(self, api, receiver, code, kind):
        access_token = linked(api)
        api.item_webhook_update(
            ItemWebhookUpdateRequest(access_token=access_token, webhook=receiver.url)
        )
        receiver.wait_for(1)

        assert fire(api, access_token, code)["webhook_fired"] is True

        told = [json.loads(raw) for raw, _ in receiver.wait_for(2)]
        assert told[0]["webhook_code"] == "WEBHOOK_UPDATE_ACKNOWLEDGED"
        assert told[0]["new_webhook_url"] == receiver.url
        assert (told[1]["webhook_type"], told[1]["webhook_code"]) == (kind, code)
        item = api.item_get(ItemGetRequest(access_token=access_token))["item"]
        assert (item["error"], item["webhook"]) == (None, receiver.url)

    def test_without_an_address_there_is_nothing_to_fire(self, still_server, api):
        access_token = linked(api)

        assert refusal(lambda: fire(api, access_token, "ERROR")) == (400, "SANDBOX_WEBHOOK_INVALID")
        assert refusal(lambda: fire(api, access_token, "NO")) == (400, "INVALID_FIELD")
        assert sent(still_server) == []

    def test_a_type_that_is_asked_for_is_kept(self, api, receiver):
        access_token = linked_by_page(api, webhook=receiver.url)
        api.sandbox_item_fire_webhook(
            SandboxItemFireWebhookRequest(
                access_token=access_token,
                webhook_code="NEW_ACCOUNTS_AVAILABLE",
                webhook_type=WebhookType("ITEM"),
            )
        )

        codes = {json.loads(raw)["webhook_code"] for raw, _ in receiver.wait_for(2)}
        assert codes == {"SESSION_FINISHED", "NEW_ACCOUNTS_AVAILABLE"}


class TestDelivery:
    def test_a_receiver_that_fails_is_asked_again_with_a_fresh_signature(
        self, still_server, api, receiver, monkeypatch
    ):
        monkeypatch.setattr(post, "FIRST_PAUSE_SECONDS", 0.02)
        receiver.statuses = [500, 302]
        Browser(hosted(api, webhook=receiver.url)["hosted_link_url"]).click("cancel")

        got = receiver.wait_for(3)

        assert len({raw for raw, _ in got}) == 1
        assert len({verification for _, verification in got}) == 3
        eventually(lambda: sent(still_server)[0]["state"] == "delivered")
        [shown] = sent(still_server)
        assert (shown["attempts"], shown["status"]) == (3, 200)
        assert (shown["url"], shown["webhook_code"]) == (receiver.url, "SESSION_FINISHED")

    def test_a_receiver_that_is_not_there_is_given_up_and_hurts_nobody(
        self, still_server, api, receiver, monkeypatch
    ):
        monkeypatch.setattr(post, "FIRST_PAUSE_SECONDS", 0.02)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        Browser(hosted(api, webhook=nowhere)["hosted_link_url"]).click("cancel")
        Browser(hosted(api, webhook=receiver.url)["hosted_link_url"]).click("cancel")

        receiver.wait_for(1)

        eventually(lambda: sent(still_server)[0]["state"] == "given_up")
        shown = sent(still_server)[0]
        assert (shown["attempts"], shown["status"]) == (post.ATTEMPTS, None)
        assert shown["failure"] == "ConnectError"

    def test_a_mute_receiver_costs_a_limited_time(self, still_server, api, monkeypatch):
        monkeypatch.setattr(post, "ANSWER_SECONDS", 0.05)
        monkeypatch.setattr(post, "FIRST_PAUSE_SECONDS", 0.01)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
            Browser(hosted(api, webhook=url)["hosted_link_url"]).click("cancel")

            eventually(lambda: sent(still_server)[0]["state"] == "given_up")

        assert sent(still_server)[0]["failure"] == "TimeoutError"

    def test_one_can_be_lost_doubled_or_late(self, still_server, api, receiver):
        access_token = linked(api)
        api.item_webhook_update(
            ItemWebhookUpdateRequest(access_token=access_token, webhook=receiver.url)
        )
        receiver.wait_for(1)
        still_server.fault(kind="webhook_drop", path="DEFAULT_UPDATE")
        still_server.fault(kind="webhook_duplicate", path="ERROR")
        still_server.fault(kind="webhook_late", path="ITEM/PENDING", seconds=0.3)
        for code in ("PENDING_EXPIRATION", "DEFAULT_UPDATE", "ERROR"):
            fire(api, access_token, code)

        told = [json.loads(raw)["webhook_code"] for raw, _ in receiver.wait_for(4)[1:]]

        assert told == ["ERROR", "ERROR", "PENDING_EXPIRATION"]
        eventually(lambda: {e["state"] for e in sent(still_server)} == {"delivered", "dropped"})

    def test_a_reset_forgets_what_was_sent_and_what_waits(self, still_server, api, receiver):
        still_server.fault(kind="webhook_late", seconds=30)
        Browser(hosted(api, webhook=receiver.url)["hosted_link_url"]).click("cancel")
        assert [each["state"] for each in sent(still_server)] == ["waiting"]

        still_server.control("reset")

        assert sent(still_server) == []
        Browser(hosted(api, webhook=receiver.url)["hosted_link_url"]).click("cancel")
        assert len(receiver.wait_for(1)) == 1


class TestKeys:
    def test_a_rotated_key_has_expired_and_the_next_one_signs(self, still_server, api):
        old = still_server.control("webhook-keys", method="GET")["kid"]

        new = still_server.control("webhook-keys", {"rotate": True})["kid"]

        assert new != old
        assert key(api, old)["expired_at"] is not None
        assert key(api, new)["expired_at"] is None
        signed = still_server.control("webhooks/signed", {"body": "{}"})["verification"]
        assert jwt.get_unverified_header(signed)["kid"] == new

    def test_an_old_key_may_live_on_until_it_is_ended(self, still_server, api):
        old = still_server.control("webhook-keys", method="GET")["kid"]
        still_server.control("webhook-keys", {"rotate": True, "keep": True})
        assert key(api, old)["expired_at"] is None

        still_server.control("webhook-keys", {"expire": old})

        assert key(api, old)["expired_at"] is not None

    def test_an_unknown_key_is_refused(self, still_server, api):
        code = "INVALID_WEBHOOK_VERIFICATION_KEY_ID"
        assert refusal(lambda: key(api, "bfbd5111-8e33-4643-8ced-b2e642a72f3c")) == (400, code)
        url = f"{still_server.url}/_control/webhook-keys"
        assert still_server.http.post(url, json={"expire": "x"}).status_code == 404

    def test_any_text_can_be_signed_for_a_test(self, still_server, api):
        asked = {"body": "{ }", "issued_at": int(time.time()) - 301}

        signed = still_server.control("webhooks/signed", asked)["verification"]

        checked = claims(api, signed)
        assert checked["iat"] == asked["issued_at"]
        assert checked["request_body_sha256"] == hashlib.sha256(b"{ }").hexdigest()

    def test_a_reset_leaves_a_key_that_is_good(self, still_server, api):
        kid = still_server.control("webhook-keys", {"rotate": True})["kid"]

        still_server.control("reset")

        assert still_server.control("webhook-keys", method="GET")["kid"] == kid
        assert key(api, kid)["expired_at"] is None

    def test_keys_survive_a_restart(self, tmp_path):
        with running(World.create(Settings(data=tmp_path))) as server:
            before = server.control("webhook-keys", {"rotate": True})
            shown = key(connect(server), before["kid"])

        with running(World.create(Settings(data=tmp_path))) as server:
            assert server.control("webhook-keys", method="GET") == before
            assert key(connect(server), before["kid"]) == shown


class TestControl:
    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("items/none", {"login": "required"}, 404),
            ("webhooks/signed", {"body": 1}, 400),
            ("webhooks/signed", [], 400),
        ],
    )
    def test_what_is_not_understood_is_refused(self, still_server, path, body, status):
        answer = still_server.http.post(f"{still_server.url}/_control/{path}", json=body)

        assert answer.status_code == status

    def test_nothing_but_what_is_known_can_happen_to_an_item(self, still_server, api):
        linked(api)
        [item] = still_server.control("items", method="GET")["items"]

        url = f"{still_server.url}/_control/items/{item['item_id']}"

        assert still_server.http.post(url, json={"login": "gone"}).status_code == 400
        assert item["institution_id"] == "ins_56"

    def test_the_secrets_of_an_item_are_shown_to_whoever_looks_for_them(self, still_server, api):
        access_token = linked(api)

        [item] = still_server.control("items", method="GET")["items"]

        assert item["access_token"] == access_token
        assert len(item["processor_tokens"]) == len(item["account_numbers"]) == 2
