"""How long a socket stays open, who may have one, and how it is sent elsewhere."""

import json
import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from clera.asgi import application
from core import realtime
from core.auth import SYSTEM, acting_as, api_keys
from core.sockets import draining
from tests.live import factories
from tests.live.factories import OWNER, client, deaf_client, is_cut, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def token_for(issuer, seconds, *, sub=OWNER):
    now = int(time.time())
    return issuer.token(sub=sub, iat=now - 10, exp=now + seconds)


def give_away(account):
    with acting_as(SYSTEM):
        type(account).objects.filter(pk=account.pk).update(user_id="bob-sub")


class TestRenewal:
    def test_a_socket_stays_open_with_a_new_token(self, port, account, issuer, publisher):
        with (
            signed_in(port, account.pk, token_for(issuer, 9)) as values,
            signed_in(port, account.pk, token_for(issuer, 9), kind="account") as events,
            signed_in(port, "", token_for(issuer, 9)) as several,
            signed_in(port, account.pk, token_for(issuer, 3)) as careless,
        ):
            started, renewing = time.time(), (values, events, several)
            for one in renewing:
                notice = one.next(kind="expiring")
                assert 0 < 2 * notice["seconds"] <= 9
                one.send(type="auth", token=token_for(issuer, 600))
                assert 570 < one.next(kind="renewed")["expires_in"] <= 600
            assert careless.close_code() == 4401
            time.sleep(max(0.0, started + 9.2 - time.time()))
            publisher.trade("AAPL", 101)
            assert values.next(kind="update")["total_value"] == "$1303.00"
            assert several.next(kind="aggregate", until=lambda m: m["total_value"] == "$1303.00")
            events.send(type="heartbeat")
            assert events.next(kind="heartbeat_ack")["type"] == "heartbeat_ack"

    def test_a_token_that_is_bad_or_somebody_elses_ends_it(self, port, account, issuer, publisher):
        key = api_keys.create(label="a", scopes=["portfolio:read", "act_for"]).text
        good = token_for(issuer, 600)
        bad = ["nonsense", token_for(issuer, 600, sub="bob-sub"), token_for(issuer, -60), key]
        codes = []
        for token in bad:
            with signed_in(port, account.pk, good) as values, signed_in(port, "", good) as several:
                for one in (values, several):
                    one.send(type="auth", token=token)
                    codes.append(one.close_code())
        with client(port, account.pk, query=f"?token={good}") as original:
            original.send(type="auth", token="nonsense")
            codes.append(original.close_code())

        assert codes == [4401] * 8 + [4001]

    def test_what_renews_a_key_is_the_same_key(self, port, account, publisher):
        keys = [
            api_keys.create(label=name, scopes=["portfolio:read", "act_for"]).text for name in "ab"
        ]
        with signed_in(port, account.pk, keys[0], said={"act_for": OWNER}) as values:
            values.next()
            values.send(type="auth", token=keys[0])
            renewed = values.next()
            values.send(type="auth", token=keys[1])
            assert values.close_code() == 4401

        assert renewed == {"type": "renewed", "expires_in": None}


class TestOwnership:
    def test_an_account_that_changes_hands_is_left_soon(
        self, port, account, token, publisher, settings
    ):
        settings.SOCKET_RECHECK_SECONDS = 0.3
        with (
            signed_in(port, account.pk, token) as values,
            signed_in(port, account.pk, token, kind="account") as events,
            client(port, account.pk, query=f"?token={token}") as original,
            signed_in(port, "", token) as several,
        ):
            opened = (values, events, original, several)
            for one in opened:
                one.next()
            time.sleep(0.5)
            give_away(account)
            codes = [one.close_code() for one in opened]

        assert codes == [4404, 4404, 4003, 4404]

    def test_news_of_the_account_has_it_left_at_once(
        self, port, account, issuer, publisher, settings
    ):
        settings.SOCKET_RECHECK_SECONDS = 60
        with signed_in(port, account.pk, token_for(issuer, 60)) as values:
            values.next()
            give_away(account)
            realtime.account_changed(str(account.pk))
            assert values.close_code() == 4404
        with signed_in(port, account.pk, token_for(issuer, 60, sub="bob-sub")) as values:
            assert values.next()["type"] == "snapshot"


def test_a_network_has_so_many_sockets_and_no_more(port, account, token, publisher, settings):
    settings.SOCKETS_PER_ADDRESS, settings.TRUSTED_PROXIES = 2, 1
    address = {"X-Forwarded-For": "2001:db8:1:2::1"}
    same_network = {"X-Forwarded-For": "2001:db8:1:2:ffff::9"}
    with (
        signed_in(port, account.pk, token, additional_headers=address) as first,
        client(port, account.pk, additional_headers=same_network) as nobody_yet,
    ):
        first.next()
        with client(port, account.pk, kind="account", additional_headers=same_network) as third:
            assert third.next()["error"] == "too_many_sockets"
            assert third.close_code() == 4429
        with signed_in(port, account.pk, token) as of_another:
            assert of_another.next()["type"] == "snapshot"
        nobody_yet.send(type="auth", token=token)
        assert nobody_yet.next()["type"] == "snapshot"
    with signed_in(port, account.pk, token, additional_headers=address) as again:
        assert again.next()["type"] == "snapshot"


class TestDraining:
    @pytest.mark.usefixtures("vendors")
    def test_every_socket_is_sent_elsewhere_at_a_moment_of_its_own(
        self, account, token, publisher, settings, monkeypatch
    ):
        monkeypatch.setattr("clera.websockets._LAST_WORDS_SECONDS", 0.5)
        settings.SOCKETS_PER_PRINCIPAL, settings.SOCKET_DRAIN_SPREAD_SECONDS = 20, 100
        with ExitStack() as stack:
            with factories.serving(application) as port:
                stack.enter_context(deaf_client(port, account.pk, token))
                stranger = stack.enter_context(client(port, account.pk))
                opened = [stack.enter_context(signed_in(port, account.pk, token)) for _ in range(8)]
                for one in opened:
                    one.next()
                started = time.monotonic()
            took = time.monotonic() - started
            pauses = [one.next(kind="draining")["retry_after"] for one in opened]
            codes = [one.close_code() for one in (*opened, stranger)]

        assert took < 50
        assert codes == [1012] * 9
        assert all(0 < pause <= settings.SOCKET_DRAIN_SPREAD_SECONDS for pause in pauses)
        assert len(set(pauses)) > 1

    def test_who_comes_then_is_refused_for_a_while(self, port, account, monkeypatch):
        monkeypatch.setattr(draining, "is_on", lambda: True)
        with client(port, account.pk) as late:
            refusal = late.next()
            assert late.close_code() == 1013

        assert (refusal["error"], refusal["retry_after"] > 0) == ("draining", True)


class TestAlive:
    def test_a_client_that_answers_no_ping_is_cut(self, account, vendors, token, publisher):
        options = {"ws_ping_interval": 0.2, "ws_ping_timeout": 5.0}
        with (
            factories.serving(application, **options) as port,
            signed_in(port, account.pk, token) as good,
            deaf_client(port, account.pk, token) as deaf,
        ):
            started = time.monotonic()
            while not is_cut(deaf):
                assert time.monotonic() - started < 60
                time.sleep(0.02)
            time.sleep(0.3)
            publisher.trade("AAPL", 101)
            assert good.next(kind="update")["total_value"] == "$1303.00"

    def test_we_are_busy_is_said_with_a_pause(self, port, account, token, issuer, publisher):
        issuer.status, issuer.published = 503, []
        stranger = token_for(issuer, 60, sub="bob-sub")
        with signed_in(port, account.pk, stranger) as values:
            refusal = json.loads(values.connection.recv(timeout=60))
            with pytest.raises(ConnectionClosed) as closed:
                values.connection.recv(timeout=60)

        assert refusal["error"] == "service_unavailable"
        assert 1 <= refusal["retry_after"] <= 5
        assert closed.value.rcvd.code == 1013
