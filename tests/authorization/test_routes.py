"""Every cell of the matrix: a real request of each principal for a thing that somebody owns."""

import itertools
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.authorization import table
from tests.authorization.kinds import FACTS, IDS, PLACEHOLDERS, Route, Rows, Who, codes
from tests.authorization.world import World, contents

pytestmark = pytest.mark.django_db
ROUTES = pytest.mark.parametrize("route", table.ROUTES, ids=lambda route: route.name)
ASKED = [route for route in table.ROUTES if route.scope is not None]
GUARDED = pytest.mark.parametrize("route", ASKED, ids=lambda route: route.name)
REFUSALS = (400, 401, 403, 404, 405)
PROBLEM = {"type", "title", "status", "code", "detail", "request_id"}
MALFORMED = ("x", "' OR 1=1 --", "0" * 300)


class Cells:
    """Asks, and looks at what the asking has done."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(self, route: Route, rows: Rows, headers, **more):
        """Ask, and hold to what nobody may do: to change what is another's, or to see it."""
        asker = more.pop("asker", None)
        client = self._world.client(more.pop("who", None))
        before = self._world.contents
        with self._world.undone() as vendors:
            effects = vendors.effects()
            answer = self._world.ask(route, rows, headers, client=client, **more)
            after = contents()
            if answer.status_code in REFUSALS:
                assert (after, vendors.effects()) == (before, effects), "a refusal did something"
            elif answer.status_code >= 400:
                assert vendors.effects() == effects, "a vendor was told of what was refused"
            assert changed(before, after) <= {asker, ""}, "somebody else's rows were changed"
        return answer


@pytest.fixture(scope="module")
def cells(world):
    print(f"\n{'':70}", *Who, sep=" | ", end="")  # noqa: T201 - for `pytest -s`
    return Cells(world)


def changed(before, after) -> set[str]:
    """Say whose rows are not what they were."""
    return {owner for _, owner in {k for k, _ in before.items() ^ after.items()}}


def ids_in(route: Route, rows: Rows) -> list[str]:
    """Find out which of a customer's things the request names, wherever it does."""
    noted: Any = Noted(rows)
    for content in (route.query, route.body):
        if content is not None:
            content(noted)
    in_path = {PLACEHOLDERS[n] for n in PLACEHOLDERS if f":{n}>" in route.path}
    return sorted((noted.named | in_path) & IDS)


class Noted:
    """Rows that note which of them are looked at."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.named: set[str] = set()

    def __getattr__(self, name):
        self.named.add(name)
        return getattr(self._rows, name)


def foreign(own: Rows, others: Rows, names) -> Rows:
    """Mix: these things are the other's, the rest are one's own."""
    return replace(own, **{name: getattr(others, name) for name in {*names, *FACTS}})


def some_of(names):
    """List every way in which at least one of the things is somebody else's."""
    return [mix for size in range(1, len(names) + 1) for mix in itertools.combinations(names, size)]


def told(answer):
    """Return what an answer says, without what is new in every answer."""
    body = json.loads(answer.content)
    body.pop("request_id", None)
    return answer.status_code, body


def text_of(answer) -> str:
    return "" if answer.streaming else answer.content.decode()


class TestTheMatrix:
    @ROUTES
    def test_each_principal_gets_the_answer_that_the_table_names(self, world, cells, route):
        answers = {
            who: cells.ask(
                route,
                world.rows_of(who),
                world.credential(who, route.scope),
                who=who,
                asker=world.user_of(who),
            )
            for who in Who
        }

        found = {who: answer.status_code for who, answer in answers.items()}
        print(f"\n{route.name:70}", *found.values(), end="")  # noqa: T201 - for `pytest -s`
        wrong = {w: code for w, code in found.items() if code not in codes(route.answers[w])}
        assert wrong == {}, {who.value: f"expected {route.answers[who]}" for who in wrong}
        if route.scope is not None:
            del answers[Who.OWNER]
            for who, answer in answers.items():
                self.says_no_more_than_it_must(world, route, who, answer)
            unknown = [told(answers[w]) for w in (Who.NOBODY, Who.EXPIRED, Who.STAFF)]
            assert unknown == [(401, unknown[0][1])] * 3

    def says_no_more_than_it_must(self, world, route, who, answer):
        """See that nothing of the owner is told, and that a refusal is a problem like any other."""
        leaked = {mark for mark in world.ada.marks if mark in text_of(answer)}
        assert leaked <= {world.ada.rows.user} & said(route, world.ada.rows), who
        if answer.status_code in {401, 403, 404}:
            assert answer["Content-Type"] == "application/problem+json", who
            assert set(answer.json()) == PROBLEM, who


@pytest.mark.slow
class TestOthers:
    @GUARDED
    def test_a_foreign_id_anywhere_is_an_unknown_one(self, world, cells, route):
        """By our id or by the vendor's, alone or next to one's own: as if it were not there."""
        headers = world.credential(Who.OTHER, route.scope)
        for mix in some_of(ids_in(route, world.bob.rows)):
            unknown = replace(world.bob.rows, **{name: str(uuid4()) for name in mix})
            expected = told(cells.ask(route, unknown, headers, asker=world.bob.rows.user))
            assert expected[0] == (403 if "user" in mix else 404), mix
            for theirs in (world.ada.rows, world.ada.by_vendor):
                asked = foreign(world.bob.rows, theirs, mix)
                answer = cells.ask(route, asked, headers, asker=world.bob.rows.user)
                assert told(answer) == expected, mix

    @GUARDED
    def test_naming_the_owner_outright_is_refused(self, world, cells, route):
        headers = world.credential(Who.OTHER, route.scope) | world.named
        answer = cells.ask(route, world.ada.rows, headers, asker=world.bob.rows.user)

        if route.kind != "shared":
            assert (answer.status_code, answer.json()["code"]) == (403, "user_mismatch")

    @GUARDED
    def test_an_id_that_is_none_is_refused_and_does_nothing(self, world, cells, route):
        headers = world.credential(Who.OWNER, route.scope)
        for name in ids_in(route, world.ada.rows):
            for text in MALFORMED:
                rows = replace(world.ada.rows, **{name: text})
                answer = cells.ask(route, rows, headers, asker=world.ada.rows.user)
                assert answer.status_code in {400, 403, 404}, (name, text)


@pytest.mark.slow
class TestKeys:
    @GUARDED
    def test_of_another_tenant_that_names_nobody_sees_nothing_of_anybody(self, world, cells, route):
        answer = cells.ask(route, world.ada.rows, world.key(route.scope))

        assert answer.status_code in codes(route.unnamed)
        assert {m for m in world.ada.marks if m in text_of(answer)} <= said(route, world.ada.rows)

    @GUARDED
    def test_that_may_act_for_customers_gets_what_the_owner_gets(self, world, cells, route):
        """Else a refusal of the other keys might come from something else than their scopes."""
        headers = world.key(route.scope, "act_for") | world.named
        answer = cells.ask(route, world.ada.rows, headers, asker=world.ada.rows.user)

        expected = route.answers[Who.OWNER] if route.opens_to_services else 403
        assert answer.status_code in codes(expected)

    @GUARDED
    def test_that_may_act_for_customers_reaches_one_customer_at_a_time(self, world, cells, route):
        headers = world.key(route.scope, "act_for") | {"X-Act-For": world.bob.rows.user}
        for mix in some_of(ids_in(route, world.bob.rows)):
            asked = foreign(world.bob.rows, world.ada.rows, mix)
            answer = cells.ask(route, asked, headers, asker=world.bob.rows.user)
            assert answer.status_code in {403, 404}, mix


@pytest.mark.slow
class TestMethods:
    @GUARDED
    def test_that_a_view_does_not_serve_do_nothing_even_for_the_owner(self, world, cells, route):
        served = {other.method for other in table.ROUTES if other.path == route.path}
        owner = world.credential(Who.OWNER, None)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - served:
            answer = cells.ask(
                route, world.ada.rows, owner, method=method, asker=world.ada.rows.user
            )
            # 403: for this method there is no scope at all.
            assert answer.status_code in {403, 405}, method
            assert answer.content == b"" or answer.json()["code"] != "internal_error"

    @GUARDED
    def test_head_is_answered_as_get_is(self, world, cells, route):
        if route.method != "GET":
            return
        for who in (Who.OTHER, Who.NOBODY, Who.NARROW, Who.TENANT):
            headers = world.credential(who, route.scope)
            answer = cells.ask(route, world.ada.rows, headers, method="HEAD", who=who)
            assert answer.status_code in codes(route.answers[who]), who
            assert answer.content == b""


def said(route: Route, rows: Rows) -> set[str]:
    """List what the request itself says, and an answer may therefore repeat."""
    return {getattr(rows, name) for name in ids_in(route, rows)}
