"""Exact windows: per credential, per network, and what happens when nobody can count."""

import asyncio
import json
import statistics
import time
from http import HTTPStatus
from ipaddress import IPv4Address

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from core import rate_limits, realtime
from core.api.address_limits import LimitSockets
from core.auth import Kind, Principal
from core.errors import ServiceBusy
from core.rate_limits import Throttled
from core.tests.doors import door_to
from core.tests.limited_urls import WORKED
from core.tests.limiting import in_threads, still_clock

pytestmark = pytest.mark.urls("core.tests.limited_urls")
SCOPES = frozenset({"trading:read", "trading:write", "funding:write", "accounts:write"})


@pytest.fixture(autouse=True)
def _nothing_counted_yet():
    for key in realtime.connection().scan_iter("clera:rate:*"):
        realtime.connection().delete(key)
    WORKED.clear()


@pytest.fixture
def clock():
    with still_clock() as clock:
        yield clock


@pytest.fixture
def limit(settings):
    """Change some of the rates."""

    def change(**rates):
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, **rates}

    return change


@pytest.fixture
def door(settings):
    with door_to(settings.REDIS_URL) as door:
        settings.REDIS_URL = door.url
        yield door


def customer(name="ada"):
    return _asking_as(Principal(kind=Kind.CUSTOMER, user_id=name))


def service(name="key1"):
    return _asking_as(Principal(kind=Kind.SERVICE, key_id=name, scopes=SCOPES))


def _asking_as(principal):
    client = APIClient()
    client.force_authenticate(principal)
    return client


def post(client, path):
    return client.post(path, {}, format="json")


def statuses(ask, times):
    return [ask().status_code for _ in range(times)]


class TestWindows:
    def test_thousand_requests_of_one_credential_from_32_threads_pass_exactly_the_limit(
        self, limit
    ):
        limit(read="200/hour")
        codes = in_threads(lambda _: customer().get("/things"), times=1000)
        assert codes == {200: 200, 429: 800}

    def test_credentials_do_not_share(self, limit):
        limit(read="2/hour")
        assert statuses(lambda: customer("ada").get("/things"), 3) == [200, 200, 429]
        assert customer("bob").get("/things").status_code == 200
        assert service("ada").get("/things").status_code == 200

    def test_a_key_has_one_window_for_all_whom_it_acts_for(self, limit):
        limit(**{"service.read": "2/hour"})
        found = [
            service().get("/things", headers={"X-Act-For": name}).status_code
            for name in ("ada", "bob", "eve")
        ]
        assert found == [200, 200, 429]
        assert service("key2").get("/things").status_code == 200

    def test_each_kind_of_request_has_its_own(self, limit):
        limit(read="1/hour", write="1/hour", money="1/hour", sign_up="1/hour")
        ada = customer()
        asks = (
            lambda: ada.get("/things"),
            lambda: post(ada, "/things"),
            lambda: post(ada, "/payments"),
            lambda: post(ada, "/sign-ups"),
        )
        assert [statuses(ask, 2) for ask in asks] == [[200, 429], *[[201, 429]] * 3]
        assert WORKED == ["payment", "sign_up"]

    def test_what_needs_no_credential_is_counted_by_network(self, limit):
        limit(read="1/hour")
        one, near, far = (
            Client(REMOTE_ADDR=address)
            for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
        )
        assert [client.get("/public").status_code for client in (one, near, far)] == [200, 429, 200]

    def test_windows_move(self, limit, clock):
        limit(read="2/minute")
        for _ in range(2):
            rate_limits.spend("read", whose="ada")
        with pytest.raises(Throttled):
            rate_limits.spend("read", whose="ada")
        clock.passed += 60.05
        rate_limits.spend("read", whose="ada")

    def test_whoever_waits_as_told_is_let_in_however_often_they_were_refused(self, limit, clock):
        limit(read="1/minute")
        rate_limits.spend("read", whose="ada")
        for _ in range(5):
            clock.passed += 0.3
            with pytest.raises(Throttled) as refused:
                rate_limits.spend("read", whose="ada")
        clock.passed += refused.value.retry_after_seconds
        rate_limits.spend("read", whose="ada")


class TestRefusal:
    def test_is_a_problem_that_says_when_there_is_room(self, limit, clock):
        limit(money="2/minute")
        ada = customer()
        statuses(lambda: post(ada, "/payments"), 2)
        clock.passed += 0.5
        response = post(ada, "/payments")
        body = json.loads(response.content)
        assert response.status_code == 429
        assert response.headers["Content-Type"] == "application/problem+json"
        assert body == {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
            "code": "throttled",
            "detail": "Too many requests. Try again after the seconds that Retry-After names.",
            "request_id": response.headers["X-Request-Id"],
        }
        wait = int(response.headers["Retry-After"])
        assert wait == 60
        assert response.headers["RateLimit-Policy"] == '"money";q=2;w=60'
        assert response.headers["RateLimit"] == f'"money";r=0;t={wait}'
        assert len(WORKED) == 2

    def test_the_time_is_that_of_the_oldest_entry(self, limit, clock):
        limit(read="2/minute")
        rate_limits.spend("read", whose="ada")
        clock.passed += 1.1
        rate_limits.spend("read", whose="ada")
        with pytest.raises(Throttled) as refused:
            rate_limits.spend("read", whose="ada")
        assert refused.value.retry_after_seconds == 59

    def test_looking_counts_nothing(self, limit):
        limit(read="1/minute")
        for _ in range(3):
            rate_limits.check("read", whose="ada")
        rate_limits.spend("read", whose="ada")
        with pytest.raises(Throttled):
            rate_limits.check("read", whose="ada")


class TestNetworks:
    @pytest.mark.parametrize("proxies", [0, 1, 2])
    def test_thousand_forged_forwarded_addresses_gain_nothing(self, limit, settings, proxies):
        limit(address="20/hour")
        settings.TRUSTED_PROXIES = proxies
        vouched = ["203.0.113.9", "10.0.0.1"][:proxies]

        def ask(index):
            forged = [str(IPv4Address(0x06000000 + index)), *vouched]
            return Client(REMOTE_ADDR="198.51.100.1").get(
                "/public", headers={"X-Forwarded-For": ", ".join(forged)}
            )

        assert in_threads(ask, times=1000) == {200: 20, 429: 980}

    def test_clients_behind_one_proxy_do_not_share(self, limit, settings):
        limit(address="1/hour")
        settings.TRUSTED_PROXIES = 1
        client = Client(REMOTE_ADDR="198.51.100.1")
        found = [
            client.get("/public", headers={"X-Forwarded-For": address}).status_code
            for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1")
        ]
        assert found == [200, 200, 429]

    def test_every_request_counts_even_one_that_leads_nowhere(self, limit):
        limit(address="2/hour")
        client = Client(REMOTE_ADDR="203.0.113.1")
        asked = [client.get(path).status_code for path in ("/nowhere", "/things", "/public")]
        assert asked == [404, 401, 429]

    def test_probes_and_the_admin_are_never_refused(self, limit):
        limit(address="1/hour")
        client = Client(REMOTE_ADDR="203.0.113.1")
        assert statuses(lambda: client.get("/health"), 3) == [200, 200, 200]
        assert statuses(lambda: client.get("/admin/"), 3) == [404, 404, 404]
        assert statuses(lambda: client.get("/healthy"), 2) == [404, 429]


class TestFailures:
    BAD = {"Authorization": "Bearer x.y.z"}

    def test_guessing_is_bounded_and_stops_at_that_network(self, limit):
        limit(refusals="3/hour")
        guesser, other = Client(REMOTE_ADDR="203.0.113.1"), Client(REMOTE_ADDR="203.0.113.2")
        guesses = statuses(lambda: guesser.get("/things", headers=self.BAD), 5)
        assert guesses == [401, 401, 401, 429, 429]
        assert guesser.get("/public").status_code == 429
        assert other.get("/things", headers=self.BAD).status_code == 401
        assert other.get("/public").status_code == 200

    def test_what_succeeds_is_no_failure(self, limit):
        limit(refusals="1/hour")
        assert statuses(lambda: customer().get("/things"), 3) == [200, 200, 200]
        assert statuses(lambda: Client().get("/nowhere"), 3) == [404, 404, 404]

    def test_guesses_made_at_once_get_no_more_answers(self, limit):
        limit(refusals="10/hour")

        def guess(_):
            return Client(REMOTE_ADDR="203.0.113.1").get("/things", headers=self.BAD)

        assert in_threads(guess, times=100) == {401: 10, 429: 90}

    def test_the_network_may_try_again_when_the_window_has_passed(self, limit, clock):
        limit(refusals="1/minute")
        guesser = Client(REMOTE_ADDR="203.0.113.1")
        assert statuses(lambda: guesser.get("/things", headers=self.BAD), 2) == [401, 429]
        clock.passed += 60.05
        assert guesser.get("/public").status_code == 200


@pytest.mark.asyncio
class TestSockets:
    async def test_a_network_that_opens_too_many_is_shown_out_with_a_code(self, limit):
        limit(sockets="2/hour")
        opened = [await _handshake("203.0.113.1") for _ in range(3)]
        assert opened == [["welcome"], ["welcome"], ["websocket.accept", 4429]]
        assert await _handshake("203.0.113.2") == ["welcome"]

    async def test_of_those_that_come_together_as_many_are_let_in_as_may(self, limit):
        limit(sockets="3/hour")
        networks = ["203.0.113.1", "203.0.113.2"] * 5
        opened = await asyncio.gather(*map(_handshake, networks))
        let_in = [network for network, told in zip(networks, opened, strict=True) if not told[1:]]
        assert let_in == ["203.0.113.1", "203.0.113.2"] * 3
        assert {tuple(told) for told in opened} == {("welcome",), ("websocket.accept", 4429)}

    async def test_a_forged_forwarded_address_gains_nothing(self, limit):
        limit(sockets="1/hour")
        forged = [(b"x-forwarded-for", b"6.6.6.%d" % index) for index in range(3)]
        opened = [await _handshake("203.0.113.1", header) for header in forged]
        assert [answer[0] for answer in opened] == ["welcome", *["websocket.accept"] * 2]

    async def test_sockets_open_when_nobody_can_count(self, limit, door):
        limit(sockets="1/hour")
        door.shut()
        assert [await _handshake("203.0.113.1") for _ in range(2)] == [["welcome"]] * 2


class TestRedisAway:
    def test_money_and_sign_up_are_closed_and_the_rest_is_open(self, door):
        door.shut()
        ada = customer()
        for path in ("/payments", "/sign-ups"):
            response = post(ada, path)
            assert response.status_code == 503
            assert json.loads(response.content)["code"] == "service_unavailable"
            assert response.headers["Retry-After"] == "2"
        assert WORKED == []
        assert ada.get("/things").status_code == 200
        assert post(ada, "/things").status_code == 201
        assert post(service(), "/payments").status_code == 503
        assert Client().get("/things").status_code == 401

    def test_it_is_said_once_and_asked_once(self, door, clock):
        ada = customer()
        ada.get("/things")
        door.shut()
        with capture_logs() as logs:
            assert statuses(lambda: ada.get("/things"), 20) == [200] * 20
        warnings = [entry for entry in logs if entry["log_level"] == "warning"]
        assert [entry["event"] for entry in warnings] == ["rate_limit.not_counted"]

    def test_only_the_first_caller_waits_for_one_that_hangs(self, door, clock, settings):
        settings.RATE_LIMIT_TIMEOUT_MS = 1500
        ada = customer()
        ada.get("/things")
        door.block()
        took = [_timed(lambda: ada.get("/things")) for _ in range(10)]
        assert took[0] >= 1.5
        assert statistics.median(took[1:]) < took[0] / 2
        assert door.visits == 2  # one before, one that hung
        assert post(ada, "/payments").status_code == HTTPStatus.SERVICE_UNAVAILABLE

    def test_counting_goes_on_when_it_is_back(self, limit, door, clock):
        limit(money="1/hour")
        ada = customer()
        door.shut()
        assert post(ada, "/payments").status_code == 503
        door.open()
        assert post(ada, "/payments").status_code == 503  # nobody has looked yet
        clock.passed += rate_limits.AWAY_SECONDS
        assert statuses(lambda: post(ada, "/payments"), 2) == [201, 429]
        assert WORKED == ["payment"]

    def test_a_connection_that_died_while_idle_is_no_outage(self, limit, door):
        limit(money="2/hour")
        ada = customer()
        assert post(ada, "/payments").status_code == 201
        door.shut()
        door.open()
        assert post(ada, "/payments").status_code == 201

    def test_what_may_not_go_uncounted_says_so_to_any_caller(self, door):
        door.shut()
        rate_limits.spend("read", whose="ada")
        rate_limits.check("refusals", whose="ada")
        with pytest.raises(ServiceBusy):
            rate_limits.spend("sign_up", whose="ada")


def _timed(ask) -> float:
    started = time.monotonic()
    assert ask().status_code == 200
    return time.monotonic() - started


async def _handshake(address, *headers):
    """Open a socket; say what the client sees."""

    async def welcome(scope, receive, send):
        await send({"type": "welcome"})

    scope = {"type": "websocket", "client": (address, 1), "headers": list(headers)}
    communicator = ApplicationCommunicator(LimitSockets(welcome), scope)
    await communicator.send_input({"type": "websocket.connect"})
    await communicator.wait(60)
    seen = []
    while not communicator.output_queue.empty():
        message = await communicator.receive_output(1)
        seen.append(message.get("code") or message["type"])
    return seen
