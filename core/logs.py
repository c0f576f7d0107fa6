"""Logs as data: only known keys, and nothing in them that looks like a secret."""

import logging
import re
import sys
from typing import TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
_LONGEST_VALUE = 200
_HANDLER_NAME = "clera"

# A key that is not listed keeps its name and loses its value: adding one is a decision.
ALLOWED_KEYS = frozenset(
    {
        "allowed", "attempt", "broker_code", "channel", "code", "count", "dropped",
        "duration_ms", "epoch", "error", "event", "event_kind", "fence", "id", "kind", "level",
        "logger", "method", "ms", "operation", "outcome", "pid", "position", "principal",
        "queue", "reason", "retry", "route", "rule", "scope", "seconds", "seq", "source",
        "state", "status", "step", "stream", "symbol", "symbols", "table", "task", "timestamp",
        "tool", "vendor", "vendor_code", "vendor_status", "version", "view", "why",
    }
)  # fmt: skip
_ALLOWED_ENDINGS = ("_id", "_ms", "_seconds", "_count", "_at")
_TRACES = frozenset({"exc_info", "stack_info", "exception", "stack"})
_NEVER = frozenset({"tax_id", "national_id", "government_id"})

# The last resort, for texts that were written by libraries.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Plaid's tokens; what they are called says of which environment they are.
    (re.compile(r"\b(?:access|public|processor|link)-(?:sandbox|production)-[\w.-]+"), HIDDEN),
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?"), HIDDEN),
    (re.compile(r"\b(?:clr_(?:live|test)_|gsk_|sk-|pplx-|access-|public-)[\w-]{6,}"), HIDDEN),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"(?<![\w.-])\d{3}[- ]\d{2}[- ]\d{4}(?![\w-])"), HIDDEN),
    (re.compile(r"(?<![\w.-])\d{9}(?![\w-])"), HIDDEN),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), HIDDEN),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\?[^\s\"'<>]*=[^\s\"'<>]*"), f"?{HIDDEN}"),
    # PostgreSQL quotes rows, pydantic quotes input.
    (re.compile(r"\)=\([^\n]*?\)(?=[\s.]|$)"), f")=({HIDDEN})"),
    (re.compile(r"Failing row contains \([^\n]*"), f"Failing row contains ({HIDDEN})"),
    (re.compile(r"input_value=.*?(?=, input_type|\n|$)"), f"input_value={HIDDEN}"),
)


def redact(text: str) -> str:
    """Blot out what looks like a token, a key, a tax id, an e-mail address or a query string."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def keep_known_keys(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Hide the value of every key that nobody has allowed."""
    for key in event:
        if not key.startswith("_") and not _is_allowed(key):
            event[key] = HIDDEN
    return event


def keep_harmless_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Redact texts, and hide values that are neither text nor a plain number."""
    for key, value in event.items():
        if not key.startswith("_") and key not in _TRACES:
            event[key] = _harmless(value)
    return event


def redact_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Redact a formatted exception: its message was written by whoever raised it."""
    for key in ("exception", "stack"):
        if key in event:
            event[key] = redact(str(event[key]))
    return event


def _is_allowed(key: str) -> bool:
    if key in _NEVER:
        return False
    return key in ALLOWED_KEYS or key in _TRACES or key.endswith(_ALLOWED_ENDINGS)


def _harmless(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return HIDDEN if redact(str(value)) == HIDDEN else value
    if isinstance(value, str | UUID):
        return redact(str(value))[:_LONGEST_VALUE]
    if isinstance(value, list | tuple | set | frozenset):
        return [_harmless(item) for item in list(value)[:20]]
    return HIDDEN


def configure(*, level: str, json: bool, stream: TextIO | None = None) -> None:
    """
    Send structlog and the standard library's loggers through one chain to one stream.

    Whatever other handlers exist, such as a test's, stay as they are.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S", utc=True),
        keep_known_keys,
        keep_harmless_values,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact_trace,
                _renderer(json=json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if h.get_name() != _HANDLER_NAME] + [handler]
    root.setLevel(level)
    _quieten()


def _renderer(*, json: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(sort_keys=True, default=_hide)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _hide(_: object, **__: object) -> str:
    return HIDDEN


def _quieten() -> None:
    """Stop the access lines that repeat ours, and whose query strings may carry a token."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    quiet = ("httpx", "httpcore", "django.server", "django.channels.server", "daphne", "axes")
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A line for every nudge would bury what the nudges do, which is logged in its own words.
    for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # At its lowest level it writes down all that a page was made from, for each missing variable.
    logging.getLogger("django.template").setLevel(logging.INFO)
    logging.getLogger("django.request").setLevel(logging.ERROR)
    # Our line says that a request was refused; these would repeat what its sender has written.
    logging.getLogger("django.security.DisallowedHost").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").addFilter(_tells_of_no_address)


def _tells_of_no_address(record: logging.LogRecord) -> bool:
    """Leave out the lines about each opened socket, with its address as the client wrote it."""
    return record.levelno > logging.INFO or "WebSocket %s" not in str(record.msg)
