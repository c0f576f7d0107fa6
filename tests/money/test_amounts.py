"""Every amount a client can send: nonsense is refused by name, what is right stays exact."""

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.test import APIClient

from accounts.tests.factories import alpaca_data, customer, make_account
from core.api.fields import _ExactNumber
from core.auth import SYSTEM, acting_as
from core.money import Money
from funding.models import Transfer
from funding.tests.factories import make_bank
from tests.authorization.vendors import Vendors, in_use
from tests.money import people
from trading.gateways import get_broker
from trading.models import Order
from trading.tests import factories as trading_factories

pytestmark = pytest.mark.django_db

# Written as JSON. No field takes any of them, whatever it measures.
NONSENSE = (
    *('"NaN"', '"nan"', '"sNaN"', '"-NaN"', '"NaN123"', '"Infinity"', '"-Infinity"', '"inf"'),
    *('"1e400"', '"1E+2"', '"1e2"', '"1e-2"', '"1E1000000"', '"0e0"', "1E2", "1E+2"),
    *('"-0"', '"-0.00"', '"-1"', '"-0.01"', '"+1"', '"+1.00"', "-1", "-0.5", "-1e-2"),
    *('"0.0000000001"', "0.0000000001", '"1.12345678901"', "0.30000000000000004"),
    *('"1_0"', '"1_000.00"', '"0x10"', '"0b1"', '"0o7"', '"1,000.00"', '"1.000,00"', '"1\'000"'),
    *('" 1 "', '" 1"', '"1 "', '"1 000"', '"\\t1"', '"1\\n"', '"\\u00a01"', '"\\u20071"'),
    *('"\\u0661\\u0660\\u0660"', '"\\uff11\\uff10\\uff10"', '"\\u0967"', '"\\u00b2"', '"\\u2167"'),
    *('"\\u22121"', '"1\\u066b5"', '"\\u00bd"', '"1\\u200b0"', '"\\u202e001"'),
    *('"$100"', '"100 USD"', '"100%"', '"1/2"', '"1.2.3"', '"1."', '".5"', '"."', '"one"', '"-"'),
    *('"1234567890123"', "1234567890123", '"999999999999999999999999999999.99"'),
    *(f'"{"9" * 40}"', f'"0.{"1" * 40}"', f'"{"0" * 40}1"', "9" * 40, f"1.{'0' * 20}1"),
    *('""', '" "', "true", "false", "[]", "[1]", '["1.00"]', "{}", '{"amount": "1.00"}'),
    *('"true"', '"null"', '"None"', '"\\ud83d\\udcb0"', '"1;2"', '"1-1"', '"1+1"', '"(1)"', '"1d"'),
)
# Numbers that no JSON has, or none of a sensible size: the body as a whole is refused.
UNREADABLE = (
    *("NaN", "-NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E+1000000", "1e-400"),
    *("01", "+1", ".5", "1.", "0x10", "1_0", "1,000.00", "'1'", "9" * 41, f"1.{'0' * 40}1"),
)


@dataclass(frozen=True)
class Place:
    """Where an amount is sent, and what else has to be in the body for it to be looked at."""

    method: str
    path: str
    keys: tuple[str, ...]

    def __str__(self):
        return f"{self.path}:{self.keys[-1]}"

    @property
    def name(self):
        """The field as a refusal names it."""
        return ".".join(self.keys)


LIMIT = {"order_type": "LIMIT", "units": "1", "limit_price": "100"}
EXPLICIT = "/api/account/{account_id}/orders"
# Every amount of an order besides the reference's own three.
TICKET_KEYS = (
    *((name,) for name in ("notional", "qty", "stop_price", "trail_price", "trail_percent")),
    ("take_profit", "limit_price"),
    ("stop_loss", "stop_price"),
    ("stop_loss", "limit_price"),
    ("lots", "0", "quantity"),
)
# Without these there is no order, whatever the field itself allows.
NEEDED = {
    ("/api/trade", "notional_amount"),
    ("/api/trade", "units"),
    ("/api/trade", "limit_price"),
    *((path, size) for path in (EXPLICIT, f"{EXPLICIT}/preview") for size in ("qty", "notional")),
}
RANGES = ("annual_income", "liquid_net_worth", "total_net_worth")


def rest_of(keys):
    """Say what must be around a field of an order for it to be looked at."""
    size = {} if keys[0] in {"notional", "qty"} else {"qty": "1"}
    around = {
        "take_profit": {"take_profit": {}},
        "stop_loss": {"stop_loss": {"stop_price": "90"}},
        "lots": {"lots": [{"lot_id": "01a20835-1956-76b5-af5a-20f5e7e8b926"}]},
    }
    return size | around.get(keys[0], {})


def _traded(keys, desk):
    return desk.trade | rest_of(keys)


def _bought(keys, _desk):
    return {"symbol": "AAPL", "side": "buy"} | rest_of(keys)


# The rest of each body. A new field that takes an amount needs a line here.
BODIES = {
    Place("POST", "/initiate-ach-transfer", ("amount",)): lambda desk: desk.transfer,
    Place("POST", "/api/trade", ("notional_amount",)): lambda desk: desk.trade,
    Place("POST", "/api/trade", ("units",)): lambda desk: desk.trade,
    Place("POST", "/api/trade", ("limit_price",)): lambda desk: {**desk.trade, **LIMIT},
    **{Place("POST", "/api/trade", keys): partial(_traded, keys) for keys in TICKET_KEYS},
    **{
        Place("POST", path, keys): partial(_bought, keys)
        for path in (EXPLICIT, f"{EXPLICIT}/preview")
        for keys in (("limit_price",), *TICKET_KEYS)
    },
    **{
        Place("PATCH", f"{EXPLICIT}/{{order_id}}", (name,)): lambda _desk: {}
        for name in ("qty", "limit_price", "stop_price", "trail")
    },
    **{
        Place("POST", "/create-alpaca-account", ("alpacaData", "identity", f"{name}_{end}")): (
            lambda _desk: {"alpacaData": alpaca_data("ada@example.com")}
        )
        for name in RANGES
        for end in ("min", "max")
    },
}


def places():
    """Find every field of a request body that takes an amount."""
    return {place: field for place, field in fields_of_bodies() if isinstance(field, _ExactNumber)}


def fields_of_bodies():
    """Walk the URLconf, and every body that it documents, down to the single fields."""
    generator = SchemaGenerator()
    generator._initialise_endpoints()
    for path, regex, method, view in generator._get_paths_and_endpoints():
        if method not in {"POST", "PUT", "PATCH"}:
            continue
        schema = view.schema
        schema.path, schema.path_regex, schema.path_prefix = path, regex, ""
        schema.method, schema.registry = method, generator.registry
        asked = schema.get_request_serializer()
        form = asked() if isinstance(asked, type) else asked
        yield from ((Place(method, path, keys), field) for keys, field in leaves(form))


def leaves(field, keys=()):
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        yield from leaves(field.child, (*keys, "0"))
    elif isinstance(field, serializers.Serializer):
        for name, inner in field.fields.items():
            yield from leaves(inner, (*keys, name))
    elif isinstance(field, serializers.Field) and not field.read_only:
        yield keys, field


@dataclass
class Desk:
    """A customer with an account and a bank, before vendors who remember everything."""

    client: APIClient
    vendors: Vendors
    transfer: dict
    trade: dict

    def send(self, place, text, **more):
        """Send a body in which this JSON stands for the amount; nothing leaves it out."""
        body = json.loads(json.dumps({**BODIES[place](self), **more}))
        inner = body
        for key in place.keys[:-1]:
            inner = inner[int(key)] if key.isdigit() else inner[key]
        inner.pop(place.keys[-1], None)
        if text is not None:
            inner[place.keys[-1]] = "@"
        raw = json.dumps(body).replace('"@"', text or "")
        return self.client.generic(
            place.method, place.path, raw.encode(), content_type="application/json"
        )


def signed_in(user_id):
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user=customer(user_id))
    return client


@pytest.fixture
def desk(db):
    trading_factories.new_instrument("AAPL", price="100.00")
    account = make_account("ada")
    trading_factories.fund(account, cash="1000000.00")
    bank = make_bank(account)
    client = signed_in("ada")
    with in_use(Vendors()) as vendors:
        yield Desk(
            client,
            vendors,
            {"accountId": str(account.pk), "relationshipId": str(bank.pk)},
            {"account_id": str(account.pk), "ticker": "AAPL", "side": "BUY"},
        )


def errors(answer):
    return answer.json().get("field_errors", {})


def contents():
    """Count the rows of every table but the record of who asked."""
    with connection.cursor() as sql:
        names = connection.introspection.table_names(sql)
    kept = sorted(name for name in names if not name.startswith("core_audit"))
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in kept)
    with acting_as(SYSTEM), connection.cursor() as sql:
        sql.execute(counts)
        return dict(sql.fetchall())


def nonsense_for(place):
    """Add to the nonsense of all fields what only this one refuses."""
    field = places()[place]
    yield from NONSENSE
    yield from (f'"1.{"0" * field.places}1"', f"1.{'0' * field.places}1")
    yield f'"1.{"0" * (field.places + 1)}"'
    if not field.allow_zero:
        yield from ('"0"', "0", '"0.00"', "0.00", "0.0", '"000"')
    if field.required or (place.path, place.name) in NEEDED:
        yield from ("null", None)


def test_every_field_that_takes_an_amount_is_tried_here():
    assert set(places()) == set(BODIES)
    assert len(NONSENSE) >= 60


def test_no_body_takes_an_amount_in_any_other_way():
    inexact = serializers.DecimalField | serializers.FloatField

    assert [place for place, field in fields_of_bodies() if isinstance(field, inexact)] == []


@pytest.mark.parametrize("place", BODIES, ids=str)
def test_nonsense_is_refused_by_name_and_does_nothing(desk, place):
    before = (contents(), desk.vendors.effects())
    wrong = []

    for text in nonsense_for(place):
        answer = desk.send(place, text)
        if not (400 <= answer.status_code < 500 and place.name in errors(answer)):
            wrong.append((text, answer.status_code, answer.content[:200]))

    assert wrong == []
    assert (contents(), desk.vendors.effects()) == before


@pytest.mark.parametrize("place", BODIES, ids=str)
def test_what_is_no_json_is_refused_and_does_nothing(desk, place):
    before = (contents(), desk.vendors.effects())

    answers = {text: desk.send(place, text).status_code for text in UNREADABLE}

    assert answers == dict.fromkeys(UNREADABLE, 400)
    assert (contents(), desk.vendors.effects()) == before


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('"1"', "1.00"),
        ("1", "1.00"),
        ('"1.5"', "1.50"),
        ("1.5", "1.50"),
        ("1.50", "1.50"),
        ('"0.01"', "0.01"),
        ("0.01", "0.01"),
        ('"007.10"', "7.10"),
        ('"19999.99"', "19999.99"),
        ("20000", "20000.00"),
        ("1.5E+1", "15.00"),
        ("1e-1", "0.10"),
    ],
)
def test_one_amount_is_the_same_however_it_is_written(desk, given, kept):
    place = next(place for place in BODIES if place.keys == ("amount",))

    answer = desk.send(place, given)

    assert answer.status_code == 201
    assert exact(answer)["amount"] == kept
    assert [str(payment.amount) for payment in desk.vendors.funds.payments] == [kept]


def exact(answer):
    """Read an answer with each number as its own text."""
    return json.loads(answer.content, parse_float=str, parse_int=str)


class TestExactness:
    """Through the API, the database and the real client to the vendor and back."""

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize(
        "count", [60, pytest.param(1000, marks=pytest.mark.proof)], ids="{} amounts".format
    )
    def test_transfers_arrive_to_the_cent(self, sandbox, lasting_issuer, settings, count):
        settings.TRANSFER_DAILY_COUNT, settings.TRANSFER_DAILY_AMOUNT = 10**6, Decimal(10**9)
        ada, chance = people.open_account(sandbox, lasting_issuer, "ada"), random.Random(count)
        client = signed_in(ada.user_id)
        cents = {chance.randrange(1, 10 ** chance.randrange(2, 5)) for _ in range(3 * count)}
        amounts = [f"{one // 100}.{one % 100:02}" for one in sorted(cents)[:count]]
        assert len(amounts) == count

        said = []
        for number, amount in enumerate(amounts):
            text = amount if number % 2 else f'"{amount}"'  # as a number or as a text
            body = json.dumps(ada.transfer("@")).replace('"@"', text)
            answer = client.post(
                "/initiate-ach-transfer", body.encode(), content_type="application/json"
            )
            assert answer.status_code == 201, answer.content
            said.append(exact(answer)["amount"])
            if number % 100 == 99:
                sandbox.advance(24 * 3600)  # the broker counts by the day

        with acting_as(SYSTEM):
            kept = Transfer.objects.order_by("created_at").values_list("amount", flat=True)
            assert [str(amount) for amount in kept] == amounts
        assert said == amounts
        sent = [e["amount"] for e in sandbox.effects("transfer.created")]
        assert [str(Money.parse(amount)) for amount in sent] == amounts

    @pytest.mark.slow
    def test_orders_arrive_to_the_ninth_place(self, sandbox, lasting_issuer):
        ada, chance = people.open_account(sandbox, lasting_issuer, "ada"), random.Random(9)
        trading_factories.new_instrument("AAPL", price="100.00")
        client = signed_in(ada.user_id)
        asked = [
            {
                "units": f"0.{chance.randrange(10**8, 10**9)}",
                "limit_price": f"{chance.randrange(9100, 10900) / 100:.2f}",
                "order_type": "LIMIT",
            }
            for _ in range(15)
        ] + [{"notional_amount": f"{chance.randrange(100, 9999) / 100:.2f}"} for _ in range(15)]

        for body in asked:
            assert client.post("/api/trade", ada.trade(**body), format="json").status_code == 201

        told = get_broker().list_orders(broker_account_id=ada.account.broker_account_id)
        by_id = {order.client_order_id: order.record for order in told}
        with acting_as(SYSTEM):
            orders = list(Order.objects.order_by("id"))
        for order, body in zip(orders, asked, strict=True):
            columns = {"units": "quantity", "notional_amount": "notional", "limit_price": None}
            for name, column in columns.items():
                if name in body:
                    figure = Decimal(body[name])
                    assert getattr(order, column or name) == figure
                    assert Decimal(by_id[str(order.pk)][_TOLD[name]]) == figure


_TOLD = {"units": "qty", "notional_amount": "notional", "limit_price": "limit_price"}
