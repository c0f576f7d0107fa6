"""The corpus of forged tokens over real connections: no answer differs from any other."""

import json
import socket
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest
from django.contrib.sessions.models import Session
from websockets.sync.client import connect

from accounts.tests.factories import make_account
from clera.asgi import application
from core.auth import jwks, tokens
from core.tests import forgeries
from core.tests.forgeries import FORGERIES, SHARED_SECRET, UNSENDABLE, hs256
from core.tests.issuer import public_jwk
from tests.live.factories import Client, serving

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SENDABLE = FORGERIES | {"a shared secret": lambda issuer: hs256(issuer, SHARED_SECRET.encode())}
# What is new in every answer.
VOLATILE = {"x-request-id", "date"}
ROUTES = [("GET", "/api/me"), ("POST", "/api/trade"), ("GET", "/api/portfolio/value")]


@pytest.fixture
def issuer(issuer, settings):
    forgeries.publish_unusable(issuer)
    # A crowd of forgers behind one address would be slowed down long before its end.
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, "1000000/minute")
    # Known, and not switched on: no token may be signed with it.
    settings.SUPABASE_JWT_SECRET = SHARED_SECRET
    return issuer


@pytest.fixture
def port(issuer):
    with serving(application) as port:
        yield port


class Line:
    """One connection to the server, on which the bytes of a header are ours to choose."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def ask(self, method: str, path: str, *authorization: bytes):
        """Return status, headers and body, without what is new in every answer."""
        lines = [f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2".encode()]
        lines.append(b"Content-Type: application/json")
        lines.extend(b"Authorization: " + value for value in authorization)
        self._socket.sendall(b"\r\n".join([*lines, b"", b"{}"]))
        response = HTTPResponse(self._socket, method=method)
        response.begin()
        body = json.loads(response.read())
        body.pop("request_id", None)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, {n: headers[n] for n in headers.keys() - VOLATILE}, body

    def close(self) -> None:
        self._socket.close()


@contextmanager
def line_to(port: int):
    line = Line(port)
    try:
        yield line
    finally:
        line.close()


def bearer(token: str) -> bytes:
    return b"Bearer " + token.encode()


class TestForgeriesOverHttp:
    @pytest.mark.parametrize(("method", "path"), ROUTES)
    def test_every_one_gets_the_answer_of_no_token_at_all(self, issuer, port, method, path):
        with line_to(port) as line:
            nobody = line.ask(method, path)
            genuine = line.ask(method, path, bearer(issuer.token()))
            answers = {
                name: line.ask(method, path, bearer(forge(issuer)))
                for name, forge in SENDABLE.items()
            }

        status, headers, body = nobody
        assert (status, body["code"], headers["www-authenticate"]) == (
            401, "unauthenticated", "Bearer",
        )  # fmt: skip
        assert "set-cookie" not in headers
        assert {name for name, answer in answers.items() if answer != nobody} == set()
        assert genuine[0] != 401
        assert Session.objects.count() == 0

    def test_every_one_is_shown_out_of_a_socket_alike(self, issuer, port):
        account = make_account("customer-1")
        everything = SENDABLE | UNSENDABLE
        ends = {
            name: _told_and_closed(port, account.pk, forge(issuer))
            for name, forge in everything.items()
        }

        assert ends.pop("nothing")[1] == 4401
        refusal = (
            {"type": "error", "error": "unauthenticated", "detail": "The token is not valid."},
            4401,
        )
        assert {name: end for name, end in ends.items() if end != refusal} == {}
        assert _told(port, account.pk, issuer.token())["type"] == "snapshot"

    @pytest.mark.parametrize(
        "authorization",
        [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Token x", b"Digest x", b"bearer\tx", b"\xff"],
    )
    def test_a_header_that_carries_no_token_is_answered_alike(self, port, authorization):
        with line_to(port) as line:
            assert line.ask("GET", "/api/me", authorization) == line.ask("GET", "/api/me")

    def test_two_headers_are_one_too_many(self, issuer, port):
        good, bad = bearer(issuer.token()), bearer("x.y.z")
        with line_to(port) as line:
            nobody = line.ask("GET", "/api/me")
            pairs = ([good, bad], [bad, good], [good, good])
            assert [line.ask("GET", "/api/me", *pair) for pair in pairs] == [nobody] * 3
            assert line.ask("GET", "/api/me", good)[0] == 200


class TestKeysOverHttp:
    def test_a_flood_of_unknown_key_ids_costs_one_fetch(self, issuer, port):
        with line_to(port) as line:
            assert line.ask("GET", "/api/me", bearer(issuer.token()))[0] == 200
            before = issuer.fetches
            _pass_time(issuer, jwks.COOLDOWN_SECONDS)
            for number in range(200):
                token = issuer.token(headers={"kid": f"random-{number}"})
                assert line.ask("GET", "/api/me", bearer(token))[0] == 401

        assert (before, issuer.fetches) == (1, 2)

    def test_known_keys_go_on_while_the_provider_is_away_for_an_hour(self, issuer, port):
        with line_to(port) as line:
            assert line.ask("GET", "/api/me", bearer(issuer.token()))[0] == 200
            issuer.status = 503
            _pass_time(issuer, 3600)
            assert line.ask("GET", "/api/me", bearer(issuer.token()))[0] == 200

    def test_a_rotation_is_picked_up_and_the_old_key_ends(self, issuer, port):
        new = forgeries.stranger()
        with line_to(port) as line:
            old = bearer(issuer.token())
            assert line.ask("GET", "/api/me", old)[0] == 200
            issuer.published[0] = public_jwk(new, kid="ec-2")
            _pass_time(issuer, 600)
            rotated = issuer.token(key=new, headers={"kid": "ec-2"})
            assert line.ask("GET", "/api/me", bearer(rotated))[0] == 200
            assert line.ask("GET", "/api/me", old)[0] == 401


def _pass_time(issuer, seconds):
    """Let the server's cache of keys believe that it is older than it is."""
    keys = tokens.key_set(f"{issuer.url}/auth/v1/.well-known/jwks.json")
    clock = keys._clock
    keys._clock = lambda: clock() + seconds


@contextmanager
def _socket(port, account_id):
    url = f"ws://127.0.0.1:{port}/ws/portfolio/{account_id}"
    with connect(url, proxy=None, ping_interval=None, close_timeout=1) as opened:
        yield Client(opened)


def _told(port, account_id, token):
    with _socket(port, account_id) as client:
        client.send(type="auth", token=token)
        return client.next()


def _told_and_closed(port, account_id, token):
    with _socket(port, account_id) as client:
        client.send(type="auth", token=token)
        return client.next(), client.close_code()
