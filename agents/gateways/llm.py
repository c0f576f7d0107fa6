"""Groq's chat completions, over langchain's client; another model is another URL and name."""

import atexit
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx
import structlog
from django.conf import settings
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool
from pydantic import SecretStr

from agents.gateways import Model
from core.errors import VendorError, VendorRejected, VendorUnavailable

if TYPE_CHECKING:
    from langchain_groq import ChatGroq

logger = structlog.get_logger()
_VENDOR = "groq"
_MAX_ANSWER_TOKENS = 2048
_RETRIES = 1
_TOO_MANY_REQUESTS = 429
# Groq says so when the model wrote a tool call that cannot be read; often it can do better.
_BAD_TOOL_CALL = "tool_use_failed"


def get_model(tools: Sequence[BaseTool]) -> Model:
    """Return the configured model, bound to these tools."""
    client = _client(
        settings.GROQ_URL,
        settings.GROQ_API_KEY,
        settings.GROQ_MODEL,
        settings.MODEL_TIMEOUT_SECONDS,
    )
    return _GroqModel(client.bind_tools(list(tools)))


@lru_cache(maxsize=4)
def _client(url: str, key: str, model: str, timeout: float) -> "ChatGroq":
    """Make one client per process: its synchronous side may be shared by threads."""
    from langchain_groq import ChatGroq  # noqa: PLC0415 - heavy; only the agents worker needs it

    limits = httpx.Timeout(timeout, connect=settings.VENDOR_CONNECT_SECONDS)
    http = httpx.Client(timeout=limits, trust_env=False, follow_redirects=False)
    atexit.register(http.close)
    return ChatGroq(
        model=model,
        base_url=url,
        api_key=SecretStr(key),
        temperature=0,
        max_tokens=_MAX_ANSWER_TOKENS,
        timeout=limits,
        max_retries=_RETRIES,
        http_client=http,
    )


class _GroqModel:
    def __init__(self, runnable: Any) -> None:
        self._runnable = runnable

    def invoke(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Ask once, and once more when the model fumbled its tool call."""
        try:
            return self._ask(messages)
        except VendorRejected as error:
            if error.vendor_code != _BAD_TOOL_CALL:
                raise
            logger.warning("model.bad_tool_call")
        return self._ask(messages)

    def _ask(self, messages: Sequence[BaseMessage]) -> AIMessage:
        import groq  # noqa: PLC0415 - as above

        try:
            answer = self._runnable.invoke(list(messages))
        except groq.APIStatusError as error:
            raise _judged(error) from error
        except (groq.GroqError, httpx.HTTPError) as error:
            raise _unavailable(type(error).__name__) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _unavailable("the answer was not readable") from error
        if not isinstance(answer, AIMessage):
            raise _unavailable("the answer was not readable")
        return answer


def _judged(error: Any) -> VendorError:
    """Tell a clear no from a bad moment; thinking has no effect, so nothing is ever unclear."""
    status: int = error.status_code
    if status < httpx.codes.INTERNAL_SERVER_ERROR and status not in {401, 408, 409, 429}:
        return VendorRejected(
            _VENDOR,
            f"The model refused the request (HTTP {status}).",
            vendor_code=_code_in(error.body) or str(status),
            http_status=status,
        )
    wait = error.response.headers.get("retry-after", "") if status == _TOO_MANY_REQUESTS else ""
    return _unavailable(
        f"HTTP {status}",
        retry_after_seconds=int(wait) if wait.isascii() and wait.isdigit() else None,
    )


def _code_in(body: object) -> str:
    inner = body.get("error", body) if isinstance(body, dict) else None
    return str(inner.get("code") or "") if isinstance(inner, dict) else ""


def _unavailable(why: str, *, retry_after_seconds: int | None = None) -> VendorUnavailable:
    return VendorUnavailable(
        _VENDOR, f"The model did not answer ({why}).", retry_after_seconds=retry_after_seconds
    )
