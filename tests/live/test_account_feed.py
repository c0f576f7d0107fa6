"""The socket of account events, over real servers, with the real PostgreSQL and Redis."""

import statistics
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.auth import api_keys
from core.ids import new_id
from tests.live import factories
from tests.live.factories import OWNER, client
from tests.live.feed import KIND, listening, numbers, push
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key():
    """A key that may look at every customer's accounts and values."""
    scopes = ["accounts:read", "portfolio:read", "act_for"]
    return api_keys.create(label="desk", scopes=scopes)


class TestBeginning:
    def test_says_hello_and_goes_on_with_what_happens_now(self, port, account, token):
        push(account, 2)
        with listening(port, account, token) as socket:
            hello = socket.next()
            push(account, status="ACTIVE")
            event = socket.next()

        assert hello == {"type": "hello", "account_id": str(account.pk), "seq": 2, "oldest": 1}
        at = event.pop("at")
        assert at.endswith("Z")
        assert event == {"type": "event", "seq": 3, "kind": KIND, "payload": {"status": "ACTIVE"}}

    def test_names_the_account_as_the_client_did(self, port, account, token):
        with listening(port, account.broker_account_id, token) as socket:
            assert socket.next() == {
                "type": "hello",
                "account_id": account.broker_account_id,
                "seq": 0,
                "oldest": None,
            }

    def test_replays_what_lies_behind_the_place(self, port, account, token):
        push(account, 350)
        with listening(port, account, token, since=100) as socket:
            assert socket.next()["seq"] == 350
            assert numbers(socket, 250) == [*range(101, 351)]
            push(account)
            assert numbers(socket, 1) == [351]

    @pytest.mark.parametrize("query", ["&since=2", ""])
    def test_takes_the_place_in_the_address_beside_the_token(self, port, account, token, query):
        push(account, 3)
        url = f"?token={token}{query}"
        with client(port, account.pk, kind="account", query=url) as socket:
            assert socket.next()["type"] == "hello"
            push(account)
            assert socket.next(kind="event")["seq"] == (3 if query else 4)

    def test_takes_it_beside_a_subprotocol_too(self, port, account, token):
        push(account, 3)
        offered = ["clera.v1", f"bearer.{token}"]
        options = {"kind": "account", "query": "?since=1", "subprotocols": offered}
        with client(port, account.pk, **options) as socket:
            assert socket.next()["type"] == "hello"
            assert numbers(socket, 2) == [2, 3]

    @pytest.mark.parametrize(
        ("count", "since"), [(3, 4), (3, 10**17), (0, 1), (1002, 1), (1001, 0)]
    )
    def test_a_place_we_cannot_continue_from_is_told(self, port, account, token, count, since):
        if count:
            push(account, count)
        with listening(port, account, token, since=since) as socket:
            assert socket.next()["type"] == "hello"
            assert socket.next() == {"type": "reset", "seq": count}
            push(account)
            assert numbers(socket, 1) == [count + 1]

    def test_a_thousand_events_are_replayed(self, port, account, token):
        push(account, 1000)
        with listening(port, account, token, since=0) as socket:
            assert numbers(socket, 1000) == [*range(1, 1001)]

    def test_a_hole_in_the_table_is_told(self, port, account, token):
        push(account, 5)
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("DELETE FROM accounts_accountevent WHERE seq = 3")
            cursor.execute("SET ROLE clera_app")

        with listening(port, account, token, since=1) as socket:
            assert [socket.next()["type"], socket.next()] == ["hello", {"type": "reset", "seq": 5}]

    @pytest.mark.parametrize("since", [-1, 1.5, True, "x", "", [], {}, 10**18])
    def test_a_place_that_is_none_is_refused(self, port, account, token, since):
        with listening(port, account, token, since=since) as socket:
            assert socket.next()["error"] == "bad_frame"
            assert socket.close_code() == 4400


class TestWhileOpen:
    def test_an_event_arrives_within_a_quarter_of_a_second(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            took = []
            for _ in range(20):
                started = time.monotonic()
                seq = push(account)
                assert numbers(socket, 1) == [seq]
                took.append(time.monotonic() - started)

        assert statistics.median(took) <= 0.25  # what a busy machine delays is the exception

    def test_only_the_sockets_of_the_account_hear_of_it(self, port, account, token, issuer):
        other = trading.new_account("bob-sub")
        bobs = issuer.token(sub="bob-sub")
        with (
            listening(port, account, token) as one,
            listening(port, account.broker_account_id, token) as two,
            listening(port, other, bobs) as bob,
        ):
            for socket in (one, two, bob):
                socket.next(kind="hello")
            push(account, n=1)
            assert one.next() == two.next()
            push(other, n=2)
            assert bob.next()["payload"] == {"n": 2}

    def test_what_is_rolled_back_is_never_told(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            with transaction.atomic():
                push(account, n=1)
                transaction.set_rollback(True)
            push(account, n=2)
            event = socket.next()

        assert (event["seq"], event["payload"]) == (1, {"n": 2})

    def test_both_sides_beat(self, port, account, token, settings):
        settings.HEARTBEAT_INTERVAL = 0.3
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            socket.send(type="heartbeat")
            assert socket.next(kind="heartbeat_ack")["type"] == "heartbeat_ack"
            beats = [socket.next(kind="heartbeat") for _ in range(2)]

        assert all(abs(float(beat["timestamp"]) - time.time()) < 30 for beat in beats)

    @pytest.mark.parametrize("frame", ["{", "[]", '"x"', '{"type":"auth"}', b"{}"])
    def test_what_means_nothing_here_ends_it(self, port, account, token, frame):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            socket.connection.send(frame)
            assert socket.close_code() == 4400


class TestGate:
    def test_somebody_elses_account_does_not_exist(self, port, account, issuer):
        push(account)
        mallory = issuer.token(sub="mallory")
        for account_id in (account.pk, account.broker_account_id, new_id(), "x"):
            with listening(port, account_id, mallory, since=0) as socket:
                assert socket.next()["type"] == "error"
                assert socket.close_code() == 4404
        with client(port, account.pk, kind="account", query=f"?token={mallory}") as socket:
            assert socket.close_code() == 4003

    def test_an_expired_token_is_refused(self, port, account, issuer):
        old = issuer.token(sub=account.user_id, exp=int(time.time()) - 60, iat=1_700_000_000)
        with listening(port, account, old) as socket:
            assert socket.close_code() == 4401

    def test_it_ends_at_the_moment_the_token_runs_out(self, port, account, issuer):
        now = int(time.time())
        short = issuer.token(sub=account.user_id, iat=now - 10, exp=now + 7)
        with (
            listening(port, account, short) as socket,
            client(port, account.pk, kind="account", query=f"?token={short}") as original,
        ):
            assert socket.next()["type"] == "hello"
            assert socket.close_code() == 4401
            assert -0.1 < time.time() - (now + 7) < 20
            assert original.close_code() == 4001

    def test_a_key_needs_the_scope_and_may_name_its_customer(self, port, account, key):
        poor = api_keys.create(label="b", scopes=["portfolio:read", "act_for"])
        for text, act_for, code in (
            (poor.text, None, 4404),
            (key.text, "somebody-else", 4404),
        ):
            said = {} if act_for is None else {"act_for": act_for}
            options = {"kind": "account", "said": said}
            with factories.signed_in(port, account.pk, text, **options) as socket:
                assert socket.close_code() == code
        said = {"act_for": OWNER, "since": 0}
        with factories.signed_in(port, account.pk, key.text, kind="account", said=said) as socket:
            assert socket.next()["type"] == "hello"

    def test_whom_a_key_names_is_on_record(self, port, account, key):
        said = {"act_for": OWNER}
        with factories.signed_in(port, account.pk, key.text, kind="account", said=said) as socket:
            assert socket.next()["type"] == "hello"

        assert _named(key.key.public_id) == [(OWNER, "socket")]

    @pytest.mark.usefixtures("publisher")
    def test_a_revoked_key_closes_its_sockets_of_every_kind(
        self, port, account, token, key, settings
    ):
        settings.SOCKET_RECHECK_SECONDS = 0.2
        other = api_keys.create(label="b", scopes=["accounts:read", "act_for"])
        query = f"?token={key.text}"
        with (
            listening(port, account, key.text) as events,
            client(port, account.pk, kind="account", query=query) as original,
            factories.signed_in(port, account.pk, key.text) as values,
            listening(port, account, other.text) as others,
            listening(port, account, token) as customers,
        ):
            for socket in (events, original, others, customers):
                socket.next(kind="hello")
            values.next(kind="snapshot")
            time.sleep(0.5)
            api_keys.revoke(public_id=key.key.public_id, at=timezone.now())

            assert [events.close_code(), original.close_code(), values.close_code()] == [
                4401,
                4001,
                4401,
            ]
            push(account)
            assert [numbers(others, 1), numbers(customers, 1)] == [[1], [1]]

    def test_a_customer_has_so_many_sockets_and_no_more(self, port, account, token, settings):
        settings.SOCKETS_PER_PRINCIPAL = 1
        with listening(port, account, token) as first:
            first.next(kind="hello")
            with listening(port, account, token) as second:
                assert second.close_code() == 4429
            push(account)
            assert numbers(first, 1) == [1]


def _named(public_id):
    """List whom a key has named, and where."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute(
            "SELECT user_id, details->>'via' FROM core_auditentry"
            " WHERE action = 'auth.acted_for' AND principal = %s",
            [f"service:{public_id}"],
        )
        found = cursor.fetchall()
        cursor.execute("SET ROLE clera_app")
    return found
