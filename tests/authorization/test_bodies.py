"""Bodies carry what their form names: no more comes in, and no more goes out."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, models
from drf_spectacular.generators import SchemaGenerator

from core.auth import SYSTEM, acting_as
from tests.authorization import table
from tests.authorization.kinds import Route, Who
from tests.authorization.world import customer_models

pytestmark = pytest.mark.django_db
WRITING = [route for route in table.ROUTES if route.body is not None]
ANSWERING = [route for route in table.ROUTES if route.scope is not None]
SHAPES = Path(__file__).with_name("shapes.json")
# What two runs of the same request never share.
_VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # an id
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d)?|Z)?"  # a moment
    r"|datetime\.datetime\([^()]*\)"
    r"|\\\\x[0-9a-f]+"  # sealed bytes
    r"|\b[0-9a-f]{64}\b"  # a fingerprint
    r"|\bCLR-[0-9A-F]{12}\b"  # a confirmation number
)


@pytest.fixture
def agreed(request):
    """Compare shapes with those that are written down, or write them down when that is asked."""

    def agreed(side: str, found: dict[str, list[str]]) -> None:
        written = json.loads(SHAPES.read_text())
        if request.config.getoption("--write-shapes", default=False):
            written[side] = found
            SHAPES.write_text(json.dumps(written, indent=1) + "\n")
        assert found == written.get(side), (
            "a body has other fields than before; if that is meant, write them down with"
            " `pytest tests/authorization --write-shapes`"
        )

    return agreed


# What comes in


def planted(field: Any) -> Any:
    """Make a value that the column would take, and that no honest request has."""
    kinds: list[tuple[type, Any]] = [
        (models.BooleanField, True),
        (models.DecimalField, "31337.00"),
        (models.IntegerField, 31337),
        (models.DateTimeField, "2001-02-03T04:05:06Z"),
        (models.UUIDField, "00000000-0000-4000-8000-00000000dead"),
        (models.JSONField, {"planted": True}),
    ]
    found = [value for kind, value in kinds if isinstance(field, kind)]
    if field.choices:
        return next(value for value, _ in field.flatchoices if value)
    return found[0] if found else "planted"


@cache
def columns() -> dict[str, Any]:
    """Name every column of every customer's table, with a value for it."""
    found: dict[str, Any] = {"is_staff": True, "is_superuser": True, "scopes": ["act_for"]}
    for model in customer_models():
        for field in model._meta.concrete_fields:
            found |= {field.name: planted(field), field.attname: planted(field)}
    return found | {"state": "ACCEPTED", "vendor_status": "ACTIVE", "user_id": "planted"}


@cache
def documented() -> dict[str, Any]:
    """Return the description of the API, which names every field that a body may have."""
    description: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return description


def form_of(route: Route) -> dict[str, Any]:
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)
    operation = documented()["paths"][path][route.method.lower()]
    form: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return form


def resolved(form: dict[str, Any]) -> dict[str, Any]:
    for reference in [form, *form.get("allOf", [])]:
        if "$ref" in reference:
            name = reference["$ref"].rpartition("/")[2]
            return resolved(documented()["components"]["schemas"][name])
    return form


def poisoned(body: Any, form: dict[str, Any]) -> Any:
    """Add to every object in a body each column that its form does not name."""
    form = resolved(form)
    if isinstance(body, list):
        return [poisoned(item, form.get("items", {})) for item in body]
    if not isinstance(body, dict):
        return body
    named = form.get("properties", {})
    clean = {name: poisoned(value, named.get(name, {})) for name, value in body.items()}
    return {n: v for n, v in columns().items() if n not in named} | clean


def effect_of(world, route, body) -> tuple[int, Any, list[str], str]:
    """Send a body and return all that came of it, without what two runs never share."""
    with world.undone() as vendors:
        headers = world.credential(_writer(route), route.scope)
        answer = world.ask(route, world.rows_of(_writer(route)), headers, body=body)
        rows = sorted(_VOLATILE.sub("~", row) for row in _all_rows())
        told = _VOLATILE.sub("~", repr(sorted(vendors.effects().items())))
    return answer.status_code, _VOLATILE.sub("~", answer.content.decode()), rows, told


def _writer(route: Route) -> Who:
    """Choose who can carry the request through: only who has no account yet may open one."""
    return Who.CLOSED if route.path == "create-alpaca-account" else Who.OWNER


def _all_rows() -> Iterator[str]:
    """List the rows of customers; a number that the database gave says nothing and is left out."""
    with acting_as(SYSTEM), connection.cursor() as cursor:
        for model in customer_models():
            key = model._meta.pk
            given = key.column if isinstance(key, models.AutoField) else ""
            cursor.execute(f"SELECT (to_jsonb(t) - '{given}')::text FROM {model._meta.db_table} t")
            yield from (f"{model._meta.label} {row}" for (row,) in cursor.fetchall())


def fields_of(form: dict[str, Any], path: str = "") -> set[str]:
    """List the path of every field that a form takes."""
    form = resolved(form)
    if "items" in form:
        return fields_of(form["items"], f"{path}[]")
    if "properties" not in form:
        return {path.lstrip(".")}
    return {
        f for name, part in form["properties"].items() for f in fields_of(part, f"{path}.{name}")
    }


class TestWhatComesIn:
    def test_is_named_by_the_fields_that_were_agreed(self, agreed):
        agreed("in", {route.name: sorted(fields_of(form_of(route))) for route in WRITING})

    @pytest.mark.parametrize("route", WRITING, ids=lambda route: route.name)
    def test_every_column_beside_the_form_changes_nothing(self, world, route):
        body = route.body(world.rows_of(_writer(route)))
        plain = effect_of(world, route, body)
        extra = effect_of(world, route, poisoned(body, form_of(route)))

        assert plain[0] < 300 or route.answers[_writer(route)] == plain[0]
        if extra[0] == 400:
            assert extra[2:] == effect_of(world, route, {})[2:], "refused, and yet it did something"
        else:
            assert extra == plain

    def test_there_are_columns_to_try(self):
        assert {"user_id", "account_id", "state", "vendor_status", "hash", "cash"} <= set(columns())

    def test_what_is_planted_would_be_seen(self, world):
        """A body that a form does name changes what comes of it."""
        [route] = [r for r in WRITING if r.path == "api/trade"]
        body = route.body(world.ada.rows)
        other = {**body, "notional_amount": "6.00"}

        assert effect_of(world, route, body) == effect_of(world, route, body)
        assert effect_of(world, route, body) != effect_of(world, route, other)


# What goes out

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def keys_of(value: Any, path: str = "") -> set[str]:
    """List the path of every key in a JSON value; the entries of a list count as one."""
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item, f"{path}[]")}
    if not isinstance(value, dict):
        return {path}
    return {
        key
        for name, part in value.items()
        for key in keys_of(part, f"{path}.{_ID.sub('*', name)}")  # what is listed by its id
    }


def answers_of(world) -> Iterator[tuple[str, list[str]]]:
    for route in ANSWERING:
        who = _writer(route)
        with world.undone():
            headers = world.credential(who, route.scope)
            answer = world.ask(route, world.rows_of(who), headers)
        if answer.streaming or answer["Content-Type"] != "application/json":
            continue
        yield route.name, sorted(key.lstrip(".") for key in keys_of(answer.json()))


class TestWhatGoesOut:
    def test_has_the_keys_that_were_agreed(self, world, agreed):
        agreed("out", dict(answers_of(world)))

    def test_names_nothing_that_is_kept_secret(self):
        keys = {k for found in json.loads(SHAPES.read_text())["out"].values() for k in found}
        words = {word for key in keys for word in re.split(r"[.\[\]_]+", key.lower())}

        assert words & {"sealed", "secret", "sha256", "lease", "index", "password", "ssn"} == set()
