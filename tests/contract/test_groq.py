"""What we rely on at Groq: an answer, and a tool call with arguments that parse."""

import pytest
from django.conf import settings
from langchain_core.tools import tool
from langchain_groq import ChatGroq
from pydantic import SecretStr

VENDOR = "groq"
pytestmark = [pytest.mark.usefixtures("vendor")]


@tool
def get_portfolio_summary() -> str:
    """Tell what the customer's portfolio is worth and what it holds."""
    return "nothing"


def model():
    return ChatGroq(
        model=settings.GROQ_MODEL,
        base_url=settings.GROQ_URL,
        api_key=SecretStr(settings.GROQ_API_KEY),
        timeout=20,
        max_retries=0,
    )


def test_answers_in_words():
    assert model().invoke("Say hello.").content


def test_calls_the_tool_that_fits():
    answer = model().bind_tools([get_portfolio_summary]).invoke("What is my portfolio worth?")

    assert [call["name"] for call in answer.tool_calls] == ["get_portfolio_summary"]
    assert answer.tool_calls[0]["args"] == {}


def test_streams_pieces_that_add_up():
    pieces = list(model().stream("Say hello."))

    assert len(pieces) > 1
    assert "".join(str(piece.content) for piece in pieces)
