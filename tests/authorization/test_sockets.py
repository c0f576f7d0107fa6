"""Every cell of the sockets: who is shown an account's stream, and with which code others go."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from websockets.sync.client import connect

from accounts.tests.factories import make_account
from clera.asgi import application
from core.auth import SYSTEM, acting_as, api_keys
from core.ids import new_id
from tests.authorization import table
from tests.authorization.kinds import PLACEHOLDERS, Who
from tests.live.factories import Client, serving
from trading.tests.factories import fund

pytestmark = pytest.mark.django_db(transaction=True)
SOCKETS = pytest.mark.parametrize("socket", table.SOCKETS, ids=lambda socket: socket.path)
ACCOUNTS = pytest.mark.parametrize(
    "socket",
    [socket for socket in table.SOCKETS if socket.names_an_account],
    ids=lambda socket: socket.path,
)
OWN = pytest.mark.parametrize(
    "socket",
    [socket for socket in table.SOCKETS if not socket.names_an_account],
    ids=lambda socket: socket.path,
)
# What clients that carry the token in the URL wait for instead.
IN_QUERY = {4401: 4001, 4404: 4003}
OWNER, OTHER, CLOSED = "ada", "bob", "cleo"


@pytest.fixture
def port(issuer):
    with serving(application) as port:
        yield port


@pytest.fixture
def accounts(transactional_db):
    accounts = {name: make_account(name) for name in (OWNER, OTHER, CLOSED)}
    for account in accounts.values():
        fund(account, cash="1000.00")
    with acting_as(SYSTEM):
        closed = accounts[CLOSED]
        type(closed).objects.filter(pk=closed.pk).update(vendor_status="ACCOUNT_CLOSED")
    return accounts


def token_of(who, issuer, scope):
    """Return the credential of `who`, or nothing."""
    at = int(datetime.now(UTC).timestamp())
    match who:
        case Who.OWNER | Who.OTHER | Who.CLOSED:
            sub = {Who.OWNER: OWNER, Who.OTHER: OTHER, Who.CLOSED: CLOSED}[who]
            return issuer.token(sub=sub)
        case Who.EXPIRED:
            return issuer.token(sub=OWNER, iat=at - 7200, exp=at - 60)
        case Who.NARROW:
            return api_keys.create(label="narrow", scopes=api_keys.KEY_SCOPES - {scope}).text
        case Who.TENANT:
            return api_keys.create(label="tenant", scopes=[scope]).text
    return None


@contextmanager
def opened(port, path, **options):
    url = f"ws://127.0.0.1:{port}/{path}"
    with connect(url, proxy=None, ping_interval=None, close_timeout=1, **options) as connection:
        yield Client(connection)


def end_of(client):
    """Return the type of the first message, or the code with which the connection closed."""
    first = client.next()
    return client.close_code() if first["type"] == "error" else first["type"]


def accounts_in(client):
    """Return the accounts that the socket looks at, or the code with which it closed."""
    message = client.next()
    while "account_id" in message:  # one of them is not known
        message = client.next()
    return client.close_code() if message["type"] == "error" else message["accounts"]


def path_of(socket, account_id):
    """Fill the pattern; sockets name accounts and nothing else."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", socket.path)
    assert {PLACEHOLDERS[name] for name in names} <= {"account"}
    return re.sub(r"<[^>]+>", str(account_id), socket.path)


def account_for(who, accounts):
    return accounts[CLOSED if who is Who.CLOSED else OWNER]


class TestTheMatrix:
    @SOCKETS
    def test_each_principal_gets_the_answer_that_the_table_names(
        self, socket, port, issuer, accounts
    ):
        found = {}
        for who in Who:
            path = path_of(socket, account_for(who, accounts).pk)
            with opened(port, path, **_session_of(who)) as client:
                client.send(type="auth", token=token_of(who, issuer, socket.scope), act_for=None)
                found[who] = end_of(client)

        print(f"\n{socket.path:60}", *found.values(), end="")  # noqa: T201 - for `pytest -s`
        assert found == dict(socket.answers)

    @SOCKETS
    def test_it_is_the_same_however_the_token_comes(self, socket, port, issuer, accounts):
        for who in (Who.OWNER, Who.OTHER, Who.EXPIRED, Who.NARROW, Who.TENANT):
            token, path = token_of(who, issuer, socket.scope), path_of(socket, accounts[OWNER].pk)
            expected = socket.answers[who]
            with opened(port, path, subprotocols=["clera.v1", f"bearer.{token}"]) as client:
                assert end_of(client) == expected, who
            with opened(port, f"{path}?token={token}") as client:
                assert end_of(client) == IN_QUERY.get(expected, expected), who

    @ACCOUNTS
    def test_a_foreign_account_is_an_unknown_one(self, socket, port, issuer, accounts):
        ids = [accounts[OWNER].pk, accounts[OWNER].broker_account_id, new_id(), "x"]
        told = []
        for account_id in ids:
            with opened(port, path_of(socket, account_id)) as client:
                client.send(type="auth", token=issuer.token(sub=OTHER))
                told.append((client.next(), client.close_code()))

        assert told == [told[0]] * len(ids)
        assert told[0][1] == 4404

    @OWN
    def test_what_is_named_to_it_is_ones_own_or_unknown(self, socket, port, issuer, accounts):
        ids = [str(accounts[OWNER].pk), accounts[OWNER].broker_account_id, str(new_id()), "x"]
        with opened(port, socket.path) as client:
            client.send(type="auth", token=issuer.token(sub=OTHER), accounts=ids)
            told = [client.next() for _ in range(len(ids) + 1)]
            client.send(type="subscribe", accounts=ids)
            told += [client.next() for _ in range(len(ids) + 1)]

        unknown = [
            {
                "type": "error",
                "error": "not_found",
                "account_id": account_id,
                "detail": "There is no such account.",
            }
            for account_id in ids
        ]
        assert told == [*unknown, {"type": "subscribed", "accounts": []}] * 2

    @OWN
    def test_a_service_names_a_customer_or_accounts(self, socket, port, issuer, accounts):
        key = api_keys.create(label="trusted", scopes=[socket.scope, "act_for"]).text
        theirs, foreign = str(accounts[OWNER].pk), str(accounts[OTHER].pk)
        expected = {
            (): 4404,
            (("act_for", OWNER),): [theirs],
            (("act_for", OWNER), ("accounts", (theirs, foreign))): [theirs],
            (("accounts", (theirs, foreign)),): [theirs, foreign],
        }
        found = {}
        for said in expected:
            with opened(port, socket.path) as client:
                client.send(type="auth", token=key, **dict(said))
                found[said] = accounts_in(client)

        assert found == expected

    @ACCOUNTS
    def test_a_service_names_the_owner_and_nobody_else(self, socket, port, issuer, accounts):
        key = api_keys.create(label="trusted", scopes=[socket.scope, "act_for"]).text
        expected = {None: socket.answers[Who.OWNER], OWNER: socket.answers[Who.OWNER], OTHER: 4404}
        found = {}
        for named in expected:
            with opened(port, path_of(socket, accounts[OWNER].pk)) as client:
                client.send(type="auth", token=key, **({"act_for": named} if named else {}))
                found[named] = end_of(client)

        assert found == expected

    @SOCKETS
    def test_a_customer_cannot_act_for_another(self, socket, port, issuer, accounts):
        with opened(port, path_of(socket, accounts[OWNER].pk)) as client:
            client.send(type="auth", token=issuer.token(sub=OTHER), act_for=OWNER)
            assert end_of(client) == 4404


def _session_of(who):
    """Carry the cookie of a member of staff who has signed in."""
    if who is not Who.STAFF:
        return {}
    browser = Browser()
    browser.force_login(User.objects.create_user("newcomer", is_staff=True))
    cookie = browser.cookies["sessionid"].value
    return {"additional_headers": {"Cookie": f"sessionid={cookie}"}}
