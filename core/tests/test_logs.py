"""Logs: known keys, harmless values, no secrets in texts of libraries."""

import ast
import io
import json
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

from core import logs

ROOT = Path(logs.__file__).parent.parent
JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJjdXN0b21lciJ9.c2lnbmF0dXJl"
SECRETS = [
    JWT,
    f"Bearer {JWT}",
    "Authorization: Basic Q0tTQU5EQk9YOnNlY3JldA==",
    "clr_test_0123456789abcdef_" + "a" * 48,
    "clr_live_0123456789abcdef_" + "a" * 48,
    "gsk_abcdefghijklmnop",
    "access-sandbox-abcdefghijk-6789",
    "public-production-abcdefghijk.6789",
    "processor-sandbox-abcdefghijk",
    "link-production-eyJpdGVtIjoi.abcdefghijk",
    "123-45-6789",
    "123 45 6789",
    "123456789",
    "ada@example.com",
    "GET /ws/portfolio/1?token=abc",
    "postgresql://owner:hunter2@127.0.0.1/clera",
    "Key (email)=(Ada Lovelace) already exists",
    "Failing row contains (1, Ada, hunter2).",
    "Input should be valid [type=x, input_value='hunter2', input_type=str]",
]


@pytest.fixture
def output():
    """Log as production does, into a text; afterwards as before."""
    root = logging.getLogger()
    before, level, config = root.handlers, root.level, structlog.get_config()
    stream = io.StringIO()
    logs.configure(level="INFO", json=True, stream=stream)
    yield stream
    root.handlers, root.level = before, level
    structlog.configure(**config)


def lines(stream) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(words: str) -> None:
    raise ValueError(words)


class TestRedact:
    @pytest.mark.parametrize("text", SECRETS)
    def test_blots_out(self, text):
        redacted = logs.redact(f"before {text} after")
        assert logs.HIDDEN in redacted
        assert redacted.startswith("before ")
        for secret in ("eyJ", "Q0tT", "0123456789abcdef_", "abcdefghijk", "6789", "ada", "abc",
                       "hunter2", "Ada"):  # fmt: skip
            assert secret not in redacted

    @pytest.mark.parametrize(
        "text",
        ["order.sent", "01890a5d-ac96-774b-bcce-b302099a8057", "2026-01-02T03:04:05.123456789Z",
         "0.123456789", "1234567890", "What now?", "GET /api/health", "a (b) = (c)"],
    )  # fmt: skip
    def test_leaves_ordinary_text_alone(self, text):
        assert logs.redact(text) == text


class TestAllowedKeys:
    def test_every_key_that_the_product_logs_is_allowed(self):
        """A key that is not would be hidden, which somebody would find out in an incident."""
        unknown = {
            f"{path.relative_to(ROOT)}:{call.lineno} {keyword.arg}"
            for path in ROOT.glob("[a-z]*/**/*.py")
            if not {"tests", "sandbox"} & set(path.relative_to(ROOT).parts)
            for call in ast.walk(ast.parse(path.read_text()))
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("logger.")
            for keyword in call.keywords
            if keyword.arg not in {*logs.ALLOWED_KEYS, "exc_info", None}
            and not str(keyword.arg).endswith(("_id", "_ms", "_seconds", "_count", "_at"))
        }
        assert unknown == set()


class TestConfigure:
    def test_writes_allowed_keys_and_hides_the_value_of_others(self, output):
        structlog.get_logger("trading").info(
            "order.sent", order_id=UUID(int=1), ms=5, amount="100.00", tax_id="x", email="a",
        )  # fmt: skip
        [line] = lines(output)
        assert line.pop("timestamp").endswith("Z")
        assert line == {
            "event": "order.sent", "level": "info", "logger": "trading", "ms": 5,
            "order_id": "00000000-0000-0000-0000-000000000001",
            "amount": "[hidden]", "tax_id": "[hidden]", "email": "[hidden]",
        }  # fmt: skip

    def test_hides_values_that_could_hold_anything(self, output):
        structlog.get_logger().info(
            "x", reason={"a": 1}, state=object(), code="y" * 500, count=123456789, symbols=["A", {}]
        )
        [line] = lines(output)
        assert (line["reason"], line["state"], line["count"]) == ("[hidden]",) * 3
        assert (len(line["code"]), line["symbols"]) == (200, ["A", "[hidden]"])

    @pytest.mark.parametrize("secret", SECRETS[:12])
    def test_redacts_texts_of_ours_and_of_libraries_and_exceptions(self, output, secret):
        structlog.get_logger().info(f"event {secret}", request_id=secret)
        logging.getLogger("library").warning("told %s", secret)
        try:
            fail(secret)
        except ValueError:
            structlog.get_logger().exception("it.failed")
            logging.getLogger("library").exception("failed")
        assert len(lines(output)) == 4
        assert secret not in output.getvalue()
        assert [line["exception"].endswith("[hidden]") for line in lines(output)[2:]] == [True] * 2

    def test_binds_what_the_context_knows(self, output):
        with structlog.contextvars.bound_contextvars(request_id="abcdefgh", password="x"):
            structlog.get_logger().info("x")
            logging.getLogger("library").warning("y")
        assert [line["request_id"] for line in lines(output)] == ["abcdefgh"] * 2
        assert [line["password"] for line in lines(output)] == ["[hidden]"] * 2

    def test_drops_lines_below_the_level_and_the_access_lines_of_servers(self, output):
        structlog.get_logger().debug("x")
        logging.getLogger("uvicorn.access").info('"GET /?token=abc"')
        logging.getLogger("httpx").info("HTTP Request: GET http://x/?key=abc")
        assert output.getvalue() == ""

    def test_writes_each_line_once_however_often_it_is_configured(self, output):
        logs.configure(level="INFO", json=True, stream=output)
        structlog.get_logger().info("once")
        assert len(lines(output)) == 1

    def test_is_readable_locally_and_redacts_there_too(self, output):
        logs.configure(level="INFO", json=False, stream=output)
        try:
            fail("123-45-6789")
        except ValueError:
            structlog.get_logger().exception("it.failed", order_id="o-1", amount=1)
        text = output.getvalue()
        assert "it.failed" in text
        assert "o-1" in text
        assert "ValueError: [hidden]" in text
        assert "6789" not in text
