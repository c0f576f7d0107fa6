"""Personal data where they do not belong, and faults of ours while they are handled."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from websockets.exceptions import WebSocketException

from tests.privacy.clients import Client, Listener, published, say_raw
from tests.privacy.people import Person
from tests.privacy.planting import Planting


def fill_every_body(planting: Planting, ada: Person) -> list[int]:
    """Put something personal into every field of every body that the API takes."""
    client = planting.client(ada)
    schema = Client(planting.url, planting.answers, Accept="application/json").get("/api/schema/")
    values = [planting.numbers.ssn, [ada.email], {"x": planting.net.word("inside")}]
    codes = []
    for path, method, form in _bodies(schema.json()):
        where = path.replace("{account_id}", ada.account).replace("{", "").replace("}", "")
        answers = (client.ask(method.upper(), where, json=_filled(form, each)) for each in values)
        codes += [answer.status_code for answer in answers]
    broken = f'{{"tax_id": "{planting.numbers.ssn}", "name": "{planting.net.word("broken")}'
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
        answer = client.ask("POST", "/create-alpaca-account", content=broken, headers=headers)
        codes.append(answer.status_code)
    return codes


def _bodies(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give every operation that takes a body, with the form of the body."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            form = content.get("application/json", {}).get("schema")
            if form:
                yield path, method, _resolved(schema, form)


def _resolved(schema: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """Put the parts that a form refers to into it."""
    if "$ref" in form:
        return _resolved(schema, schema["components"]["schemas"][form["$ref"].rsplit("/", 1)[1]])
    if "allOf" in form:
        return _resolved(schema, form["allOf"][0])
    properties = form.get("properties", {})
    items = {"items": _resolved(schema, form["items"])} if "items" in form else {}
    return {"properties": {k: _resolved(schema, part) for k, part in properties.items()}, **items}


def _filled(form: dict[str, Any], value: Any) -> Any:
    if form["properties"]:
        return {name: _filled(part, value) for name, part in form["properties"].items()}
    return [_filled(form["items"], value)] if "items" in form else value


def ask_strangely(planting: Planting, ada: Person) -> None:
    """Write it into addresses, headers and frames, and into what is no HTTP at all."""
    word, ssn, client = planting.net.word, planting.numbers.ssn, planting.client(ada)
    for path in (
        f"/api/account/{ssn}/status",
        f"/api/account/{word('path')}/pii",
        f"/api/account/{ada.account}/documents?start_date={ssn}",
        f"/api/account/{ada.account}/documents/{word('documentid')}/download",
        f"/api/account/{ada.account}/events?after={word('query')}",
        f"/api/portfolio/{ada.account}/orders?status={word('status')}&limit={ssn}",
        f"/api/company/{word('company')}",
        f"/{word('nowhere')}?ssn={ssn}&email={ada.email}",
        f"/admin/login/?next={ada.email}",
    ):
        client.get(path)
    for headers in (
        {"X-Act-For": word("actfor")},
        {"Authorization": f"Bearer {word('bearer')}.{word('bearer')}.{word('bearer')}"},
        {"Authorization": f"Basic {word('basic')}"},
        {"X-API-Key": f"clr_test_0123456789abcdef_{word('wrongkey')}"},
        {"X-Request-Id": f"{word('requestid')} {ssn}"},
        {"X-Forwarded-For": word("forwarded")},
        {"Prefer": word("prefer"), "Accept": word("accept")},
    ):
        strange = Client(planting.url, planting.answers, **headers)
        strange.get("/api/me")
        strange.post("/api/trade", {"ticker": word("ticker")})
    for text in (
        f"GET /?ssn={ssn}&name={word('rawquery')} HTTP/9.9\r\n\r\n",
        f"{word('rawverb')} / HTTP/1.1\r\nHost: {word('rawhost')}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {word('rawhost')}.example.com\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n{word('rawheader')} {ssn}\r\n\r\n",
    ):
        say_raw(planting.url, text.encode())
    _open_sockets_strangely(planting, ada)


def _open_sockets_strangely(planting: Planting, ada: Person) -> None:
    word, where = planting.net.word, f"/ws/account/{ada.account}"
    for path in (
        f"{where}?token={word('sockettoken')}",
        f"/ws/account/{word('socketaccount')}?token={ada.token}&since={word('since')}",
        f"/ws/{word('socketpath')}?token={ada.token}",
    ):
        with suppress(WebSocketException):
            Listener(planting.url, path, planting.answers).close()
    for first in (
        {"type": "auth", "token": word("firsttoken")},
        {"type": "auth", "token": ada.token, "since": word("firstsince")},
        f'{{"type": "{word("firstbroken")}',
    ):
        listener = Listener(planting.url, where, planting.answers, first=first)
        time.sleep(0.2)  # the answer is what we want to look at
        listener.close()


def break_our_own(planting: Planting, person: Person) -> None:
    """Have the database refuse rows, or miss a table: faults of ours, which answer 500."""
    url, client = published(planting.clera)["DATABASE_URL"], planting.client(person)
    last4, chat = planting.numbers.bank[-4:], planting.net.word("chat")
    pii = f"/api/account/{person.account}/pii"
    bank = "/create-ach-relationship-manual"
    with _refusing(url, "funding_achrelationship", f"number_last4 <> '{last4}'"):
        planting.note("bank, our fault", client.post(bank, person.bank()))
    with _refusing(url, "chat_message", f"position('{chat}' in content) = 0"):
        answer = client.post("/api/chat", planting.question(person.account))
        planting.note("chat, our fault", answer)
    with _refusing(url, "accounts_contactchange", "values_index = ''"):
        planting.note("move, our fault", client.ask("PATCH", pii, json=person.move()))
    with _missing(url, "accounts_documentupload"):
        planting.note("upload, our fault", planting.upload(client, person))
    with _missing(url, "accounts_brokerageaccount"):
        planting.note("apply, our fault", planting.apply(planting.person("nobody")))


@contextmanager
def _refusing(url: str, table: str, condition: str) -> Iterator[None]:
    """Have a table take no row that is otherwise."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT planted CHECK ({condition}) NOT VALID")
        try:
            yield
        finally:
            owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT planted")


@contextmanager
def _missing(url: str, table: str) -> Iterator[None]:
    """Take a table away for a moment."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {table} RENAME TO planted")
        try:
            yield
        finally:
            owner.execute(f"ALTER TABLE planted RENAME TO {table}")
