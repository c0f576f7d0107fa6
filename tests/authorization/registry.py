"""What exists: every URL, socket, task and tool, as the running program has them."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from celery import current_app
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from agents.tools import TOOLS
from clera.asgi import application
from clera.celery import app as _celery  # noqa: F401 - makes it the current one
from tests.authorization import table

_VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
# A plain function looks at the method itself; what it serves to readers and to writers counts.
_OF_FUNCTIONS: Final = ("GET", "POST")


@dataclass(frozen=True)
class Endpoint:
    """One URL pattern and the methods that its view serves."""

    path: str
    methods: tuple[str, ...]
    view: Callable[..., Any]


def endpoints() -> list[Endpoint]:
    """List every URL pattern, but for those under the staff's prefix."""
    return [found for found in _all() if not found.path.startswith(table.STAFF_PAGES.prefix)]


def staff_endpoints() -> list[Endpoint]:
    """List every URL pattern under the staff's prefix."""
    return [found for found in _all() if found.path.startswith(table.STAFF_PAGES.prefix)]


def sockets() -> list[str]:
    """List the patterns of the sockets' router."""
    router = application.application_mapping["websocket"]
    while not hasattr(router, "routes"):
        router = _inner(router)
    return [str(route.pattern) for route in router.routes]


def tasks() -> dict[str, Any]:
    """List our tasks by name."""
    current_app.loader.import_default_modules()
    return {n: t for n, t in current_app.tasks.items() if not n.startswith("celery.")}


def tools() -> dict[str, Any]:
    """List the agents' tools by name."""
    return {found.name: found for found in TOOLS}


def parameters(task: Any) -> list[inspect.Parameter]:
    """List what a task takes, but for the catch-all of keywords that it ignores."""
    found = inspect.signature(task.run).parameters.values()
    return [p for p in found if not (p.kind is p.VAR_KEYWORD and p.name == "_")]


def admin_models() -> list[Any]:
    """List the models that have pages of their own."""
    return list(admin.site._registry)


def _all() -> Iterator[Endpoint]:
    for path, view in _patterns(get_resolver().url_patterns, ""):
        yield Endpoint(path, _methods(view), view)


def _patterns(
    found: list[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for entry in found:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, path)
        else:
            yield path, entry.callback


def _methods(view: Any) -> tuple[str, ...]:
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if cls is None:
        return _OF_FUNCTIONS
    return tuple(verb for verb in _VERBS if hasattr(cls, verb.lower()))


def _inner(wrapper: Any) -> Any:
    """Unwrap what stands around the router: each keeps the next in an attribute."""
    for value in vars(wrapper).values():
        if callable(value) and not inspect.isroutine(value) and hasattr(value, "__dict__"):
            return value
    raise LookupError(f"{type(wrapper).__name__} leads to no router; see registry.sockets.")
