"""`python -m tests.authorization` prints the matrix as Markdown, and what it does not know yet."""

import os
import sys
from collections.abc import Iterable, Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.test")

import django

django.setup()

from tests.authorization import registry, table  # noqa: E402 - they need the apps
from tests.authorization.kinds import SHOWN_OUT, Who, codes  # noqa: E402


def rows() -> Iterator[list[str]]:
    """List the routes, the staff's pages and the sockets, with the answer to each of the eight."""
    for route in table.ROUTES:
        yield [f"`{route.method} /{route.path}`", route.kind, route.scope or "", *map(
            _text, (route.answers[who] for who in Who)
        )]  # fmt: skip
    pages = table.STAFF_PAGES
    yield [f"`/{pages.prefix}…`", "staff pages", "a role", *[_text(SHOWN_OUT)] * len(Who)]
    for socket in table.SOCKETS:
        yield [f"`/{socket.path}`", "socket", socket.scope, *(str(socket.answers[w]) for w in Who)]


def lists() -> Iterator[str]:
    """List the tasks with the ids they take, and the tools with what the model may choose."""
    for task in table.TASKS:
        yield f"- task `{task.name}` takes {_words(task.takes)}"
    for tool in table.TOOLS:
        yield f"- tool `{tool.name}` takes {_words(sorted(tool.arguments))}"


def unclassified() -> list[str]:
    """Name what exists and is not in the table."""
    routes = {f"{verb} {e.path}" for e in registry.endpoints() for verb in e.methods}
    found = routes - {route.name for route in table.ROUTES}
    found |= set(registry.sockets()) - {socket.path for socket in table.SOCKETS}
    found |= set(registry.tasks()) - {task.name for task in table.TASKS}
    found |= set(registry.tools()) - {tool.name for tool in table.TOOLS}
    return sorted(found)


def _text(code: int | tuple[int, ...]) -> str:
    return "/".join(map(str, codes(code)))


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def main() -> int:
    """Print everything; the exit code says whether the table is complete."""
    head = ["Route or socket", "Kind", "Scope", *(who.value for who in Who)]
    for cells in (head, ["---"] * len(head), *rows()):
        print(f"| {' | '.join(cells)} |")  # noqa: T201 - it talks to a terminal
    print("", *lists(), sep="\n")  # noqa: T201
    missing = unclassified()
    for name in missing:
        print(f"\nNot classified: {name}", file=sys.stderr)  # noqa: T201
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
