"""The one block that tells a person, once Clera is up, where everything is and what to try."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clera.local.home import Home

LABEL = 12


def block(where: Home, env: Mapping[str, str], *, seconds: float) -> str:
    """Write the block; what the demo data does not name is left out."""
    path = where.local / "demo.json"
    demo: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    rule = "=" * 78
    parts = [f"Clera is ready ({seconds:.0f} s).", *_places(env, demo), *_keys(demo)]
    return "\n".join(["", rule, *parts, "", *_commands(env, demo), rule, ""])


def _row(label: str, text: str) -> str:
    return f"  {label:<{LABEL}}{text}"


def _places(env: Mapping[str, str], demo: Mapping[str, Any]) -> Iterator[str]:
    url = env["CLERA_URL"]
    admin = demo.get("admin", {})
    login = f"   {admin['username']} / {admin['password']}" if admin else ""
    yield _row("page", f"{url}/")
    yield _row("API docs", f"{url}/api/docs/")
    yield _row("admin", f"{url}/admin/{login}")
    yield _row("vendors", f"{env['SANDBOX_URL']}   (pretend ones; no money moves)")


def _keys(demo: Mapping[str, Any]) -> Iterator[str]:
    if "api_key" in demo:
        yield _row("API key", f"{demo['api_key']}   (another: make api-key)")
    customer = demo.get("customer", {})
    if customer:
        yield _row("customer", str(customer.get("email") or customer.get("user_id")))
        yield _row("account", str(customer.get("account_id")))
        yield _row("token", str(customer.get("token")))
    if "renew" in customer:
        yield _row("new token", customer["renew"])


def _commands(env: Mapping[str, str], demo: Mapping[str, Any]) -> Iterator[str]:
    yield "  Try, in another terminal:"
    yield _row("make demo", "open an account, deposit, buy, and see it live")
    yield _row("make watch", "follow a portfolio's value")
    yield _row("ready?", f"curl -s {env['CLERA_URL']}/api/ready")
    for title, command in demo.get("commands", {}).items():
        yield _row(title, command)
    yield "  Ctrl-C here, or `make stop` anywhere, ends it all; the data stays."
