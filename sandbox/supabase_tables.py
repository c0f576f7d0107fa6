"""
The database of the identity provider, as PostgREST serves it: one table, for the service key.

Of that language it speaks what writing a row back takes: upserting, updating and reading by
equality or membership, with the columns selected.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.answers import json_answer
from sandbox.world import World

TABLE: Final = "user_onboarding"
COLUMNS: Final = (
    "user_id", "alpaca_account_id", "alpaca_account_number", "alpaca_account_status", "status",
    "updated_at",
)  # fmt: skip
_KEY = COLUMNS[0]
# What a query may hold beside filters.
_WORDS = frozenset({"select", "on_conflict", "columns"})

Row = dict[str, Any]
Handler = Callable[["Table", Request], Awaitable[Response]]


class Wrong(Exception):
    """A request the database cannot carry out, in the words of its HTTP layer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.body = {"code": code, "details": None, "hint": None, "message": message}
        super().__init__(message)


class Table:
    """The rows of the table, by their key."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rows: dict[str, Row] = {key: json.loads(row) for key, row in world.store.load(TABLE)}
        world.reset_hooks.append(self._rows.clear)

    def matching(self, query: Mapping[str, str]) -> list[Row]:
        """
        List the rows that meet every filter of a query.

        :raises Wrong: a column or an operator is not known.
        """
        filters = _filters(query)
        return [
            row
            for row in self._rows.values()
            if all(row[column] in wanted for column, wanted in filters.items())
        ]

    def find(self, key: str) -> Row | None:
        """Find the row of a user."""
        return self._rows.get(key)

    def write(self, changes: Row) -> Row:
        """Write a new row, or change the columns given of one that is there."""
        fresh = dict.fromkeys(COLUMNS) | {"updated_at": self.world.clock.now().isoformat()}
        key = changes[_KEY]
        row = self._rows.get(key, fresh) | changes
        self._rows[key] = row
        self.world.store.mark(TABLE, key, lambda: json.dumps(row))
        self.world.effects.record(
            "supabase", f"{TABLE}.written", key, account_id=row["alpaca_account_id"]
        )
        return row


def routes(world: World) -> list[BaseRoute]:
    """List the paths of the table."""
    table = Table(world)
    path = f"/rest/v1/{TABLE}"
    return [
        Route(path, _serve(table, read), methods=["GET"]),
        Route(path, _serve(table, insert), methods=["POST"]),
        Route(path, _serve(table, update), methods=["PATCH"]),
    ]


def _serve(table: Table, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        if (refusal := _stranger(table.world, request)) is not None:
            return json_answer(refusal, 401)
        try:
            return await handler(table, request)
        except Wrong as wrong:
            return json_answer(wrong.body, wrong.status)

    return endpoint


def _stranger(world: World, request: Request) -> dict[str, str | None] | None:
    """Word why a request may not come in: the gateway wants the key, the database its bearer."""
    key = world.settings.supabase_service_key
    given = request.headers.get("apikey", "")
    if not given:
        hint = "No `apikey` request header or url param was found."
        return {"message": "No API key found in request", "hint": hint}
    if not secrets.compare_digest(given.encode(), key.encode()):
        return {"message": "Invalid API key", "hint": "Double check your API key."}
    bearer = request.headers.get("authorization", "")
    if not secrets.compare_digest(bearer.encode(), f"Bearer {key}".encode()):
        return {"code": "PGRST301", "details": None, "hint": None, "message": "JWT invalid"}
    return None


async def read(table: Table, request: Request) -> Response:
    """Answer the rows that match, with the columns selected."""
    columns = _selected(request.query_params)
    return json_answer([_shown(row, columns) for row in table.matching(request.query_params)])


async def insert(table: Table, request: Request) -> Response:
    """Insert one row or several; those that are there are merged or left if that is preferred."""
    given = await _body(request)
    rows = [_checked(row) for row in (given if isinstance(given, list) else [given])]
    if any(row.get(_KEY) is None for row in rows):
        message = f'null value in column "{_KEY}" violates not-null constraint'
        raise Wrong(400, "23502", message)
    if request.query_params.get("on_conflict", _KEY) != _KEY:
        message = (
            "there is no unique or exclusion constraint matching the ON CONFLICT specification"
        )
        raise Wrong(400, "42P10", message)
    prefers = _preferences(request)
    known = [row for row in rows if table.find(row[_KEY]) is not None]
    if "resolution=ignore-duplicates" in prefers:
        rows = [row for row in rows if row not in known]
    elif known and "resolution=merge-duplicates" not in prefers:
        message = f'duplicate key value violates unique constraint "{TABLE}_pkey"'
        raise Wrong(409, "23505", message)
    is_new = len(rows) > len(known)
    written = [table.write(row) for row in rows]
    status = 201 if is_new else 200
    return _answer(request, written, status=status, silent_status=status)


async def update(table: Table, request: Request) -> Response:
    """Change the rows that match; without a filter none, as a guard against forgetting it."""
    changes = _checked(await _body(request))
    if not _filters(request.query_params):
        raise Wrong(400, "21000", "UPDATE requires a WHERE clause")
    found = table.matching(request.query_params)
    if any(changes.get(_KEY, row[_KEY]) != row[_KEY] for row in found):
        raise Wrong(400, "0A000", "the key of a row cannot be changed")
    written = [table.write(changes | {_KEY: row[_KEY]}) for row in found]
    return _answer(request, written, status=200, silent_status=204)


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise Wrong(400, "PGRST102", "Empty or invalid json") from error


def _checked(row: Any) -> Row:
    """Take a row of columns that exist, with values that are text or nothing."""
    if not isinstance(row, dict):
        raise Wrong(400, "PGRST102", "All object keys must match")
    for column in row:
        if column not in COLUMNS:
            message = f"Could not find the '{column}' column of '{TABLE}' in the schema cache"
            raise Wrong(400, "PGRST204", message)
    return {column: _value(column, value) for column, value in row.items()}


def _value(column: str, value: Any) -> str | None:
    text = None if value is None else str(value)
    if column == "updated_at" and text is not None:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            message = "invalid input syntax for type timestamp with time zone"
            raise Wrong(400, "22007", message) from error
    return text


def _filters(query: Mapping[str, str]) -> dict[str, set[str]]:
    return {column: _wanted(condition) for column, condition in query.items() if _is_filter(column)}


def _is_filter(name: str) -> bool:
    if name in _WORDS:
        return False
    if name not in COLUMNS:
        raise Wrong(400, "42703", f"column {TABLE}.{name} does not exist")
    return True


def _wanted(condition: str) -> set[str]:
    operator, dot, operand = condition.partition(".")
    if operator == "eq" and dot:
        return {operand}
    if operator == "in" and operand.startswith("(") and operand.endswith(")"):
        return set(operand[1:-1].split(","))
    raise Wrong(400, "PGRST100", f'"failed to parse filter ({condition})"')


def _selected(query: Mapping[str, str]) -> Iterable[str]:
    columns = query.get("select", "*").split(",")
    if columns == ["*"]:
        return COLUMNS
    for column in columns:
        if column not in COLUMNS:
            raise Wrong(400, "42703", f"column {TABLE}.{column} does not exist")
    return columns


def _shown(row: Row, columns: Iterable[str]) -> Row:
    return {column: row[column] for column in columns}


def _preferences(request: Request) -> set[str]:
    given = ",".join(request.headers.getlist("prefer"))
    return {preference.strip() for preference in given.split(",")}


def _answer(request: Request, rows: list[Row], *, status: int, silent_status: int) -> Response:
    """Answer the rows written if they are asked for, and nothing otherwise."""
    if "return=representation" not in _preferences(request):
        return Response(status_code=silent_status)
    columns = _selected(request.query_params)
    return json_answer([_shown(row, columns) for row in rows], status)
