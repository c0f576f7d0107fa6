"""Three customers with one of everything, eight principals, and a way to see what has changed."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from django.apps import apps
from django.db import connection, transaction
from django.test import Client

from accounts.tests.factories import make_account
from closure.tests.factories import stopped_closure
from core.auth import SYSTEM, acting_as, api_keys
from core.auth.principals import ACT_FOR, ROUTE_SCOPES
from core.models import CustomerOwned
from core.tests import admin_rows, staff_people
from core.tests.issuer import Issuer
from funding.tests.factories import make_bank
from tests.authorization.kinds import IDS, PLACEHOLDERS, Route, Rows, Who
from tests.authorization.vendors import Vendors, in_use
from trading import services as trading
from trading.tests import factories as trading_factories
from trading.tests.proposing import propose

_CONTENTS = "contents_of_the_world"
# Kept by every request that is let in, whoever asks: when a key was last used, who did what.
UNWATCHED = frozenset({"core_auditentry", "core_auditlink", "core_auditpending"})


@dataclass(frozen=True)
class Customer:
    """Somebody, by our ids and by the vendors', and what no answer to others may contain."""

    rows: Rows
    by_vendor: Rows
    marks: frozenset[str]


class World:
    """What the matrix is asked in. Everything a cell does is undone after it."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.vendors = Vendors()
        trading_factories.new_instrument("AAPL", price="100.00")
        with in_use(self.vendors):
            self.ada = self._customer("ada")
            self.bob = self._customer("bob")
            self.cleo = self._customer("cleo", status="ACCOUNT_CLOSED")
        self._keys = {scopes: _new_key(scopes) for scopes in _scopes_of_keys()}
        self.anybody = Client(raise_request_exception=False)
        self.staff = _signed_in("newcomer")
        # Every cell finds this, and leaves it to the next.
        self.contents = contents()

    def client(self, who: Who | None) -> Client:
        """Return a client with no session, unless it is the member of staff who asks."""
        return self.staff if who is Who.STAFF else self.anybody

    def rows_of(self, who: Who) -> Rows:
        """Return whose things `who` asks for."""
        return self.cleo.rows if who is Who.CLOSED else self.ada.rows

    def user_of(self, who: Who) -> str | None:
        """Return which customer `who` is, if any."""
        customers = {Who.OWNER: self.ada, Who.OTHER: self.bob, Who.CLOSED: self.cleo}
        return customers[who].rows.user if who in customers else None

    def credential(self, who: Who, scope: str | None) -> dict[str, str]:
        """Return the headers by which `who` proves to be somebody."""
        user = self.user_of(who)
        if user is not None:
            return self.bearer(user)
        match who:
            case Who.EXPIRED:
                at = datetime.now(UTC).timestamp()
                return self.bearer(self.ada.rows.user, iat=int(at) - 7200, exp=int(at) - 60)
            case Who.NARROW:
                return self.key(*api_keys.KEY_SCOPES - {scope}) | self.named
            case Who.TENANT:
                return (self.key(scope) if scope else {}) | self.named
            case _:
                return {}

    @property
    def named(self) -> dict[str, str]:
        """Name the owner, as a service does that acts for customers."""
        return {"X-Act-For": self.ada.rows.user}

    def bearer(self, user_id: str, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(sub=user_id, **claims)}"}

    def key(self, *scopes: str) -> dict[str, str]:
        """Return the key with exactly these scopes."""
        return {"X-API-Key": self._keys[frozenset(scopes)]}

    def ask(
        self,
        route: Route,
        rows: Rows,
        headers: Mapping[str, str],
        *,
        client: Client | None = None,
        method: str | None = None,
        body: Any = None,
    ) -> Any:
        """Send the route's request about these rows, or another body."""
        if body is None and route.body is not None:
            body = route.body(rows)
        answer: Any = (client or self.anybody).generic(
            method or route.method,
            url_of(route, rows),
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json" if body is not None else "",
            headers={**route.headers, **headers},
        )
        assert route.scope is None or not self.anybody.cookies, "the API set a cookie"
        self.anybody.cookies.clear()
        return answer

    @contextmanager
    def undone(self) -> Iterator[Vendors]:
        """Undo in the database whatever happens, and let it happen to vendors of its own."""
        with transaction.atomic(), in_use(self.vendors.copied()) as vendors:
            yield vendors
            transaction.set_rollback(True)

    def _customer(self, name: str, *, status: str = "ACTIVE") -> Customer:
        user = f"{name}-{uuid4()}"
        account = make_account(user)
        email, document = f"{user}@example.com", f"statement-{uuid4()}"
        self.vendors.open_account(account.broker_account_id, email=email, document_id=document)
        trading_factories.fund(account, cash="1000.00", positions={"AAPL": "3"})
        bank = make_bank(account)
        principal = trading_factories.customer(user)
        now = datetime.now(UTC)
        order = trading.place_order(
            principal=principal,
            account_id=account.pk,
            ticket=trading_factories.buy(notional="5.00"),
            request=None,
            at=now,
        )
        proposal = propose(f"call-{name}", principal=principal, notional=Decimal(7))
        conversation, run = _talk(user)
        with acting_as(SYSTEM):
            _papers_of(account)
            transfer = _transfer_of(bank)
            closure = stopped_closure(bank)
            type(account).objects.filter(pk=account.pk).update(vendor_status=status)
        rows = Rows(
            user=user,
            account=str(account.pk),
            bank=str(bank.pk),
            transfer=str(transfer.pk),
            document=document,
            order=str(order.pk),
            proposal=str(proposal.pk),
            conversation=str(conversation.pk),
            run=str(run.pk),
            closure=str(closure.pk),
            proposal_hash=proposal.hash,
            email=f"new-{email}",
        )
        by_vendor = replace(
            rows,
            account=account.broker_account_id,
            bank=bank.broker_relationship_id,
            transfer=transfer.broker_transfer_id,
            order=order.broker_order_id,
        )
        told = {rows.user, account.account_number, proposal.hash, email, _said_by(user)}
        ids = {getattr(r, n) for r in (rows, by_vendor) for n in sorted(IDS)}
        return Customer(rows, by_vendor, frozenset(told | ids))


def _scopes_of_keys() -> Iterator[frozenset[str]]:
    """List what the keys of the matrix may do: all but one scope, only one, one for customers."""
    yield frozenset(api_keys.KEY_SCOPES)
    for scope in ROUTE_SCOPES:
        yield frozenset(api_keys.KEY_SCOPES - {scope})
        yield frozenset({scope})
        yield frozenset({scope, ACT_FOR})


def _new_key(scopes: frozenset[str]) -> str:
    return api_keys.create(label="a service", scopes=scopes).text


def _signed_in(name: str) -> Client:
    """Let a member of staff sign in, with both factors, who was given no role."""
    user = staff_people.member(name)
    staff_people.enrolled(user)
    return staff_people.signed_in(user)


def _said_by(user: str) -> str:
    return f"said by {user}"


def _papers_of(account: Any) -> None:
    admin_rows.papers_of(account)
    # One that waits would hold up the next.
    changes = apps.get_model("accounts.ContactChange").objects.filter(account_id=account.pk)
    changes.update(state="ACCEPTED")


def _transfer_of(bank: Any) -> Any:
    return apps.get_model("funding.Transfer").objects.create(
        user_id=bank.user_id,
        account_id=bank.account_id,
        relationship=bank,
        state="ACCEPTED",
        vendor_status="COMPLETE",
        broker_transfer_id=str(uuid4()),
        direction="INCOMING",
        amount=Decimal(9),
    )


def _talk(user: str) -> tuple[Any, Any]:
    """Let a customer have asked something and been answered."""
    model = apps.get_model
    with acting_as(SYSTEM):
        conversation = model("chat.Conversation").objects.create(user_id=user, title=_said_by(user))
        run = model("chat.Run").objects.create(
            user_id=user, conversation=conversation, state="DONE", finished_at=datetime.now(UTC)
        )
        for role in ("USER", "ASSISTANT"):
            model("chat.Message").objects.create(
                user_id=user, conversation=conversation, run=run, role=role, content=_said_by(user)
            )
    return conversation, run


def url_of(route: Route, rows: Rows) -> str:
    """Fill the pattern and the query with these ids."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return quote(route.fill.get(name) or getattr(rows, PLACEHOLDERS[name]), safe="")

    path = re.sub(r"<(?:\w+:)?(\w+)>", value, route.path)
    query = urlencode(route.query(rows))
    return f"/{path}?{query}" if query else f"/{path}"


# What has changed


def customer_models() -> list[type[CustomerOwned]]:
    """List every table whose rows belong to customers."""
    return [model for model in apps.get_models() if issubclass(model, CustomerOwned)]


def contents() -> dict[tuple[str, str], str]:
    """Take the fingerprint of every customer's rows in every table, and of the rest as a whole."""
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name = %s", [_CONTENTS])
        if cursor.fetchone() == (0,):  # planned once, since it is asked after every request
            cursor.execute(f"PREPARE {_CONTENTS} AS {' UNION ALL '.join(_parts())}")
        cursor.execute(f"EXECUTE {_CONTENTS}")
        return {(table, owner): digest for table, owner, digest in cursor.fetchall()}


def _parts() -> Iterator[str]:
    for table, owner, text in _watched():
        digest = f"md5(string_agg({text}, '|' ORDER BY {text}))"
        yield f"SELECT '{table}', {owner}, {digest} FROM {table} t GROUP BY 2"


def _watched() -> Iterator[tuple[str, str, str]]:
    for model in customer_models():
        table = model._meta.db_table
        if table not in UNWATCHED:
            yield table, "user_id", "t::text"
    for table in ("core_idempotencyrow", "core_intentstep", "core_inboxevent", "auth_group"):
        yield table, "''", "t::text"
    yield "auth_user", "''", "(id, username, password, is_superuser, is_staff, email)::text"
    yield "core_apikey", "''", "(id, secret_sha256, scopes, expires_at, revoked_at)::text"
