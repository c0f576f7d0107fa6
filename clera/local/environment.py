"""The variables that local programs run with: the shell's, then `.env`, then where servers are."""

import re
from collections.abc import Mapping
from pathlib import Path

from clera.local import home
from clera.local.errors import LocalError
from clera.local.home import Home

LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
LAST_PORT = 65535
COMMENT = re.compile(r"(?:^|\s)#.*$")


def read_file(path: Path) -> dict[str, str]:
    """
    Read NAME=value lines; a missing file has none.

    :raises LocalError: a line is something else.
    """
    if not path.exists():
        return {}
    found = {}
    for number, raw in enumerate(path.read_text().splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise LocalError(f"{path.name}, line {number}: expected NAME=value.")
        found[match[1]] = _unquoted(match[2])
    return found


def _unquoted(value: str) -> str:
    for quote in "\"'":
        if value.startswith(quote) and value.find(quote, 1) > 0:
            return value[1 : value.find(quote, 1)]
    return COMMENT.sub("", value).strip()


def load(checkout: Path, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return what the shell has given, completed from the checkout's `.env`.

    `CLERA_ENV_FILE` names another file; tests name an empty one.
    """
    path = Path(given.get("CLERA_ENV_FILE") or checkout / ".env")
    return {**read_file(path), **given}


def number(env: Mapping[str, str], name: str, default: int) -> int:
    """
    Read a port number.

    :raises LocalError: it is none.
    """
    text = env.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise LocalError(f"{name}={text} is not a port number.")
    return int(text)


def publish(where: Home, variables: Mapping[str, str]) -> None:
    """Write where the servers are, so that commands in other terminals find them."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    home.write_private(where.local / "run.env", lines)


def published(where: Home) -> dict[str, str]:
    """Return what the running Clera has published; nothing if none runs."""
    return read_file(where.local / "run.env")


def withdraw(where: Home) -> None:
    """Take back what was published."""
    (where.local / "run.env").unlink(missing_ok=True)
