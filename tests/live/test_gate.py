"""Who may open a live socket, and with which code the others are shown out."""

import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core.auth import api_keys
from core.ids import new_id
from tests.live.factories import Client, client, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


class TestGate:
    def test_takes_the_token_as_a_subprotocol_and_answers_without_it(
        self, port, account, token, publisher
    ):
        offered = ["clera.v1", f"bearer.{token}"]
        with client(port, account.pk, subprotocols=offered) as socket:
            assert socket.next()["type"] == "snapshot"
            assert socket.connection.subprotocol == "clera.v1"

    def test_takes_the_token_in_the_query_as_the_original_did(
        self, port, account, token, publisher, caplog
    ):
        with client(port, account.pk, query=f"?token={token}") as socket:
            assert socket.next()["type"] == "snapshot"

        assert token not in caplog.text

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ('{"type":"auth","token":"nonsense"}', 4401),
            ('{"type":"auth"}', 4401),
            ('{"type":"heartbeat"}', 4401),
            ("not json", 4400),
            ("[]", 4400),
            ("[" * 2000, 4400),
            (b"\x00", 4400),
        ],
    )
    def test_closes_with_a_code_when_the_first_frame_is_no_good(self, port, account, frame, code):
        with client(port, account.pk) as socket:
            socket.connection.send(frame)
            assert socket.close_code() == code

    def test_a_bad_token_in_the_query_gets_the_originals_code(self, port, account):
        with client(port, account.pk, query="?token=nonsense") as socket:
            assert socket.next()["error"] == "unauthenticated"
            assert socket.close_code() == 4001

    def test_an_expired_token_is_refused(self, port, account, issuer):
        old = issuer.token(sub=account.user_id, exp=int(time.time()) - 60, iat=1_700_000_000)
        with signed_in(port, account.pk, old) as socket:
            assert socket.close_code() == 4401

    def test_somebody_elses_account_does_not_exist(self, port, account, issuer, publisher):
        mallory = issuer.token(sub="mallory")
        for account_id in (account.pk, account.broker_account_id, new_id(), "x", "aggregated"):
            with signed_in(port, account_id, mallory) as socket:
                assert socket.next()["type"] == "error"
                assert socket.close_code() == 4404
        with client(port, account.pk, query=f"?token={mallory}") as socket:
            assert socket.close_code() == 4003

    def test_silence_is_refused_after_a_while(self, port, account, monkeypatch):
        monkeypatch.setattr("core.sockets.gate._AUTH_SECONDS", 0.2)
        with client(port, account.pk) as socket:
            assert socket.close_code() == 4401

    def test_a_customer_has_so_many_sockets_and_no_more(
        self, port, account, token, publisher, settings
    ):
        settings.SOCKETS_PER_PRINCIPAL = 1
        with signed_in(port, account.pk, token) as first:
            first.next()
            with signed_in(port, account.pk, token) as second:
                assert second.close_code() == 4429
            publisher.trade("AAPL", 101)
            assert first.next()["type"] == "update"
        with signed_in(port, account.pk, token) as third:
            assert third.next()["type"] == "snapshot"

    def test_a_service_may_look_for_a_customer_if_its_key_says_so(self, port, account, publisher):
        good = api_keys.create(label="a", scopes=["portfolio:read", "act_for"]).text
        for scopes in (["portfolio:read"], ["act_for"]):
            poor = api_keys.create(label="b", scopes=scopes).text
            with signed_in(port, account.pk, poor) as socket:
                assert socket.close_code() == 4404
        with signed_in(port, account.pk, good) as socket:
            assert socket.next()["type"] == "snapshot"

    def test_a_page_of_another_site_is_refused(self, port, account, token, settings, publisher):
        with (
            pytest.raises(InvalidStatus) as caught,
            client(port, account.pk, origin="https://evil.example"),
        ):
            pass
        assert caught.value.response.status_code == 403

        settings.ALLOWED_ORIGINS = ["https://app.example"]
        for origin in ("https://app.example", f"http://127.0.0.1:{port}"):
            with client(port, account.pk, origin=origin) as socket:
                socket.send(type="auth", token=token)
                assert socket.next()["type"] == "snapshot"

    def test_a_path_that_leads_nowhere_is_closed(self, port):
        with connect(f"ws://127.0.0.1:{port}/ws/nothing", legacy=False, proxy=None) as connection:
            assert Client(connection).close_code() == 4404
