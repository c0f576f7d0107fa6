"""Nothing exists that the table does not know, and the table knows nothing that does not exist."""

import re

from tests.authorization import registry, table
from tests.authorization.kinds import PLACEHOLDERS, Rows, Who, nothing

WHERE = "tests/authorization/table.py"


def missing(kind, existing, listed):
    """Say what to add, for each thing that exists and is not listed."""
    return [
        f"{kind} `{name}` is not classified: add it to {kind.upper()}S in {WHERE}."
        for name in sorted(existing - listed)
    ]


def gone(kind, existing, listed):
    """Say what to remove, for each thing that is listed and no longer exists."""
    return [
        f"{kind} `{name}` no longer exists: remove it from {kind.upper()}S in {WHERE}."
        for name in sorted(listed - existing)
    ]


class TestEverythingIsClassified:
    def test_every_method_of_every_route(self):
        existing = {f"{verb} {e.path}" for e in registry.endpoints() for verb in e.methods}
        listed = {route.name for route in table.ROUTES}

        assert missing("route", existing, listed) == []
        assert gone("route", existing, listed) == []
        assert len(listed) == len(table.ROUTES), "a route is listed twice"

    def test_every_page_of_the_staff_is_under_one_prefix(self):
        paths = {endpoint.path for endpoint in registry.staff_endpoints()}
        listed = table.STAFF_PAGES.open_to_staff | table.STAFF_PAGES.doors

        assert len(paths) > len(listed)
        assert sorted(listed - paths) == [], f"these pages no longer exist: see {WHERE}"

    def test_every_socket(self):
        existing, listed = set(registry.sockets()), {found.path for found in table.SOCKETS}

        assert missing("socket", existing, listed) + gone("socket", existing, listed) == []

    def test_every_task_and_what_it_takes(self):
        existing = registry.tasks()
        listed = {found.name: found for found in table.TASKS}

        assert missing("task", set(existing), set(listed)) == []
        assert gone("task", set(existing), set(listed)) == []
        takes = {n: sorted(p.name for p in registry.parameters(t)) for n, t in existing.items()}
        assert takes == {name: sorted(found.takes) for name, found in listed.items()}

    def test_every_tool_and_what_the_model_may_say_to_it(self):
        existing = registry.tools()
        listed = {found.name: found.arguments for found in table.TOOLS}

        assert missing("tool", set(existing), set(listed)) == []
        assert gone("tool", set(existing), set(listed)) == []
        assert {name: frozenset(found.args) for name, found in existing.items()} == listed


class TestTheTable:
    def test_answers_all_eight_everywhere(self):
        for entry in (*table.ROUTES, *table.SOCKETS):
            assert set(entry.answers) == set(Who)

    def test_knows_whose_every_id_in_a_path_is(self):
        for entry in (*table.ROUTES, *table.SOCKETS):
            named = set(re.findall(r"<(?:\w+:)?(\w+)>", entry.path))
            known = PLACEHOLDERS.keys() | getattr(entry, "fill", {}).keys()
            assert named <= known, f"{entry.path}: say in kinds.PLACEHOLDERS whose {named - known}"

    def test_takes_ids_of_things_that_customers_have(self):
        for found in table.TASKS:
            assert set(found.takes.values()) <= set(Rows.__dataclass_fields__), found.name

    def test_gives_every_writing_route_a_body_or_none_on_purpose(self):
        for route in table.ROUTES:
            if route.method == "GET":
                assert route.body is None, route.name
            assert route.body is None or route.query is nothing, route.name


class TestTheCheck:
    """It bites: a newcomer that nobody has classified is named, with the place to do so."""

    def test_a_route_a_socket_a_task_or_a_tool_is_named(self):
        for kind in ("route", "socket", "task", "tool"):
            [told] = missing(kind, {"new", "old"}, {"old"})
            assert told == (
                f"{kind} `new` is not classified: add it to {kind.upper()}S in {WHERE}."
            )
            [told] = gone(kind, {"old"}, {"old", "removed"})
            assert "`removed` no longer exists" in told
