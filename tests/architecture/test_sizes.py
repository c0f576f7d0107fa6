"""Modules and functions stay small enough to hold in one's head."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 400
FUNCTION_LINES = 50
APPS = (
    "clera", "console", "chat", "agents", "portfolio", "closure", "trading", "funding", "ledger",
    "accounts", "market", "core", "sandbox", "benchmarks", "clients",
)  # fmt: skip


def modules():
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_is_short(path):
    source = path.read_text()
    functions = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert len(source.splitlines()) <= MODULE_LINES
    assert {name: size for name, size in functions.items() if size > FUNCTION_LINES} == {}
