"""The whole document: valid, without warnings, and pleasant to read."""

import io
import json
from copy import deepcopy

import jsonschema
import pytest
from django.core.management import call_command
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "put", "patch", "delete")
TAGS = [
    "Accounts", "Funding", "Ledger", "Trading", "Closure", "Portfolio", "Market", "Chat", "System",
]  # fmt: skip


@pytest.fixture(scope="module")
def document():
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format=openapi-json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture(scope="module")
def operations(document):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def resolved(document, schema):
    """Follow references, and say `null` and what is excluded as JSON Schema does."""
    if isinstance(schema, list):
        return [resolved(document, part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return resolved(document, document["components"]["schemas"][name])
    plain = {key: resolved(document, part) for key, part in schema.items()}
    for bound, excluded in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if plain.get(excluded) is True:
            plain[excluded] = plain.pop(bound)
    is_nullable = plain.pop("nullable", False)
    return {"anyOf": [plain, {"type": "null"}]} if is_nullable else plain


def contents(operation):
    """What is sent, and what is answered to a success, each with its media type."""
    asked = operation.get("requestBody", {}).get("content", {})
    yield from (("request", kind) for kind in asked.values())
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield from (
                (status, kind)
                for name, kind in response.get("content", {}).items()
                if name == "application/json"
            )


def test_the_generator_has_nothing_to_complain_about(document):
    assert document["openapi"].startswith("3.0")
    assert document["info"]["title"] == "Clera"


def test_every_operation_has_one_tag_a_sentence_and_its_own_id(operations):
    ids = [operation["operationId"] for operation in operations.values()]

    assert len(operations) >= 25
    assert len(set(ids)) == len(ids)
    for name, operation in operations.items():
        assert len(operation["tags"]) == 1, name
        assert operation["tags"][0] in TAGS, name
        assert operation["summary"][0].isupper(), name
        assert len(operation["summary"]) > 10, name
        assert "\n" not in operation["summary"], name


def test_the_groups_come_in_the_order_of_a_customers_story(document):
    assert [tag["name"] for tag in document["tags"]] == TAGS


def test_every_route_of_the_product_is_there(document):
    routes = {
        str(pattern.pattern)
        for include in get_resolver("clera.urls").url_patterns
        for pattern in getattr(include, "url_patterns", [])
        if getattr(include, "app_name", None) != "admin"
    }
    kept = {route for route in routes if not route.startswith(("local/", "ws/"))}
    kept -= {"", "metrics"}  # pages for people and for monitoring

    assert len(document["paths"]) == len(kept)


def test_every_post_shows_what_to_send_and_what_comes_back(operations):
    posts = {name: op for name, op in operations.items() if name.startswith("POST")}

    assert len(posts) >= 30
    for name, operation in posts.items():
        shown = {where for where, content in contents(operation) if content.get("examples")}
        wanted = {where for where, _ in contents(operation)}
        assert shown == wanted, name


def test_every_example_is_what_its_schema_says(document, operations):
    checked = 0
    for operation in operations.values():
        for _, content in contents(operation):
            schema = resolved(document, deepcopy(content.get("schema", {})))
            for example in content.get("examples", {}).values():
                jsonschema.validate(example["value"], schema)
                checked += 1
    assert checked >= 40


def test_what_moves_money_offers_an_idempotency_key_and_says_what_a_repeat_gets(operations):
    for name in ("POST /initiate-ach-transfer", "POST /api/trade", "POST /create-alpaca-account"):
        operation = operations[name]
        assert "Idempotency-Key" in [p["name"] for p in operation["parameters"]], name
        assert {"400", "401", "409", "422", "default"} <= set(operation["responses"]), name


def test_services_learn_how_to_name_a_customer_and_which_scope_they_need(operations):
    trade = operations["POST /api/trade"]
    company = operations["GET /api/company/{ticker}"]
    health = operations["GET /api/health"]

    assert "X-Act-For" in [p["name"] for p in trade["parameters"]]
    assert trade["description"].endswith("A key needs the scope `trading:write`.")
    assert "X-Act-For" not in [p["name"] for p in company["parameters"]]
    assert health.get("parameters", []) == []
    assert health["security"] == [{}]


class TestPages:
    def test_the_documentation_loads_nothing_from_elsewhere(self, client):
        for path in ("/api/docs/", "/api/redoc/"):
            page = client.get(path)
            text = page.content.decode()
            assert page.status_code == 200
            for far in ('src="http', 'href="http', 'src="//', 'href="//'):
                assert far not in text

    def test_the_document_is_served_as_it_was_checked(self, client, document):
        answer = client.get("/api/schema/?format=json")

        assert answer.status_code == 200
        assert answer.json()["paths"] == document["paths"]


def test_generating_needs_no_database():
    # Without the `db` fixture any query fails the test.
    assert SchemaGenerator().get_schema(public=True)["paths"]
