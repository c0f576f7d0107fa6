"""The words of the table: who asks, what kind of thing is asked for, what each is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final


class Who(StrEnum):
    """The eight that every route and socket is asked by; the values head the printed table."""

    OWNER = "owner"
    OTHER = "other customer"
    NOBODY = "nobody"
    EXPIRED = "expired token"
    NARROW = "key without the scope"
    TENANT = "another tenant's key"
    STAFF = "staff without a role"
    CLOSED = "owner, account closed"


@dataclass(frozen=True)
class Rows:
    """
    What one customer has, by the ids under which it is asked for.

    A route that names another kind of thing needs another field here, and the thing itself in
    `world.py`.
    """

    user: str
    account: str
    bank: str
    transfer: str
    document: str
    order: str
    proposal: str
    conversation: str
    run: str
    closure: str
    # Not ids: what else a request about these things must say.
    proposal_hash: str
    email: str


FACTS: Final = frozenset({"proposal_hash", "email"})
IDS: Final = frozenset(field.name for field in fields(Rows)) - FACTS
# Which of a customer's things a placeholder in a path names.
PLACEHOLDERS: Final = {
    "account_id": "account",
    "relationship_id": "bank",
    "transfer_id": "transfer",
    "document_id": "document",
    "order_id": "order",
    "proposal_id": "proposal",
    "conversation_id": "conversation",
    "run_id": "run",
}

Code = int | tuple[int, ...]
Answers = Mapping[Who, Code]
Content = Callable[[Rows], dict[str, Any]]
# A page sends strangers to the door, or says no.
SHOWN_OUT: Final = (302, 403)


def nothing(_: Rows) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one URL pattern, and what each of the eight is answered."""

    method: str
    path: str
    kind: str
    answers: Answers
    scope: str | None = None
    query: Content = nothing
    body: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fill: Mapping[str, str] = field(default_factory=dict)
    # What another tenant's key gets that asks without naming a customer.
    unnamed: Code | None = None
    # Whether a key that may act for customers can do what the owner can.
    opens_to_services: bool = True

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Pages:
    """All patterns under a prefix: pages for staff, with the few that differ."""

    prefix: str
    open_to_staff: frozenset[str]
    doors: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Socket:
    """One socket; a number is the code it closes with, a word the first message."""

    path: str
    scope: str
    answers: Mapping[Who, int | str]

    @property
    def names_an_account(self) -> bool:
        return "<" in self.path


@dataclass(frozen=True)
class Task:
    """One Celery task and its arguments, each with the kind of thing whose id it takes."""

    name: str
    takes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """One tool of the agents and the arguments that the model may choose."""

    name: str
    arguments: frozenset[str] = frozenset()


# The kinds of routes


def of_account(
    method: str, path: str, *, scope: str, ok: Code = 200, unnamed: Code = 403, **more: Any
) -> Route:
    """Something that belongs to one account, which the request names."""
    return _owned("of an account", method, path, scope=scope, ok=ok, unnamed=unnamed, **more)


def of_customer(
    method: str, path: str, *, scope: str, ok: Code = 200, unnamed: Code = 404, **more: Any
) -> Route:
    """Something that belongs to one customer, which the request names without an account."""
    return _owned("of a customer", method, path, scope=scope, ok=ok, unnamed=unnamed, **more)


def own(method: str, path: str, *, scope: str, ok: Code = 200, **more: Any) -> Route:
    """Whatever the asker has; the request names nothing, and others see their own."""
    more = {"unnamed": ok, **more, "answers": {Who.OTHER: ok} | more.get("answers", {})}
    return _owned("one's own", method, path, scope=scope, ok=ok, **more)


def shared(method: str, path: str, *, scope: str, ok: Code = 200, **more: Any) -> Route:
    """The same for everybody with a credential; nobody owns it."""
    answers = {Who.OTHER: ok, Who.TENANT: ok} | more.pop("answers", {})
    return _owned("shared", method, path, scope=scope, ok=ok, unnamed=ok, answers=answers, **more)


def public(method: str, path: str, *, ok: Code = 200, **more: Any) -> Route:
    """Open to everybody, with or without a credential; it tells nothing about any customer."""
    return Route(method=method, path=path, kind="public", answers=dict.fromkeys(Who, ok), **more)


def _owned(
    kind: str,
    method: str,
    path: str,
    *,
    scope: str,
    ok: Code,
    answers: Answers | None = None,
    **more: Any,
) -> Route:
    usual: dict[Who, Code] = {
        Who.OWNER: ok,
        Who.OTHER: 404,
        Who.NOBODY: 401,
        Who.EXPIRED: 401,
        Who.NARROW: 403,
        Who.TENANT: 403,
        Who.STAFF: 401,
        Who.CLOSED: ok,
    }
    return Route(
        method=method,
        path=path,
        kind=kind,
        scope=scope,
        answers={**usual, **(answers or {})},
        **more,
    )


def socket(path: str, *, scope: str, first: str) -> Socket:
    """A socket about one account, which its path names."""
    return Socket(
        path=path,
        scope=scope,
        answers={
            Who.OWNER: first,
            Who.OTHER: 4404,
            Who.NOBODY: 4401,
            Who.EXPIRED: 4401,
            Who.NARROW: 4404,
            Who.TENANT: 4404,
            Who.STAFF: 4401,
            Who.CLOSED: first,
        },
    )


def own_socket(path: str, *, scope: str, first: str) -> Socket:
    """A socket about what the asker has; the path names nothing, and others see their own."""
    answers = socket(path, scope=scope, first=first).answers
    return Socket(path=path, scope=scope, answers={**answers, Who.OTHER: first})


def pages(prefix: str, *, open_to_staff: tuple[str, ...], doors: tuple[str, ...]) -> Pages:
    """Pages that need a role, apart from those any member of staff sees, and the doors."""
    return Pages(
        prefix=prefix,
        open_to_staff=frozenset(prefix + path for path in open_to_staff),
        doors=frozenset(prefix + path for path in doors),
    )


def task(name: str, **takes: str) -> Task:
    return Task(name, takes)


def tool(name: str, *arguments: str) -> Tool:
    return Tool(name, frozenset(arguments))


def codes(code: Code) -> tuple[int, ...]:
    return (code,) if isinstance(code, int) else code
