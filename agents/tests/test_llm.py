"""The vendor's answers and failures, over its real wire protocol."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agents.gateways.llm import get_model
from agents.tests.pretend import Pretend
from core.errors import VendorRejected, VendorUnavailable

ASKED = [HumanMessage("hello")]


def failing(status: int, **more: Any) -> dict[str, Any]:
    return {"error": {"status": status, **more}}


class TestAnswer:
    def test_is_what_the_model_said(self, pretend: Pretend):
        pretend.script([{"content": "Hello there."}])

        assert get_model([]).invoke(ASKED).text == "Hello there."

    def test_may_come_at_the_second_try(self, pretend: Pretend):
        pretend.script([failing(500), {"content": "Hello again."}])

        assert get_model([]).invoke(ASKED).text == "Hello again."

    def test_is_asked_for_again_when_the_tool_call_was_not_readable(self, pretend: Pretend):
        pretend.script([failing(400, code="tool_use_failed"), {"content": "Now it works."}])

        assert get_model([]).invoke(ASKED).text == "Now it works."


class TestFailure:
    def test_is_unavailable_when_the_vendor_is_down(self, pretend: Pretend):
        pretend.script([failing(503)] * 2)

        with pytest.raises(VendorUnavailable, match="HTTP 503"):
            get_model([]).invoke(ASKED)

    def test_is_unavailable_when_nobody_listens(self, settings):
        settings.GROQ_URL = "http://127.0.0.1:9"

        with pytest.raises(VendorUnavailable):
            get_model([]).invoke(ASKED)

    def test_is_unavailable_when_the_vendor_is_silent(self, pretend: Pretend, settings):
        settings.MODEL_TIMEOUT_SECONDS = 0.2
        pretend.script([{"content": "late", "delay_seconds": 2}] * 2)

        with pytest.raises(VendorUnavailable):
            get_model([]).invoke(ASKED)

    def test_carries_how_long_to_wait(self, pretend: Pretend):
        pretend.script([failing(429, retry_after=1)] * 2)

        with pytest.raises(VendorUnavailable) as caught:
            get_model([]).invoke(ASKED)

        assert caught.value.retry_after_seconds == 1

    def test_is_unavailable_with_a_wrong_key(self, pretend: Pretend, settings):
        settings.GROQ_API_KEY = "gsk_wrong"

        with pytest.raises(VendorUnavailable, match="HTTP 401"):
            get_model([]).invoke(ASKED)

    def test_is_a_clear_no_when_the_request_is_refused(self, pretend: Pretend):
        pretend.script([failing(400, code="context_length_exceeded")])

        with pytest.raises(VendorRejected) as caught:
            get_model([]).invoke(ASKED)

        assert caught.value.vendor_code == "context_length_exceeded"
