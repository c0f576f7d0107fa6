from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Literal

import groq
import httpx
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_groq import ChatGroq
from pydantic import BaseModel, SecretStr

from sandbox.tests.conftest import Server


@tool
def propose_trade(symbol: str, side: Literal["buy", "sell"], notional: Decimal) -> str:
    """Suggest a trade that the user must approve."""
    return f"{side} {notional} of {symbol}"


class Verdict(BaseModel):
    """Judge the request."""

    action: Literal["trade", "portfolio"]
    symbol: str


Connect = Callable[..., ChatGroq]


@pytest.fixture
def chat(sandbox_server: Server) -> Iterator[Connect]:
    """Make models, whose connections are closed in the end: the library leaves that to chance."""
    made: list[ChatGroq] = []

    def connecting(key: str = "gsk_sandbox", **more: Any) -> ChatGroq:
        model = ChatGroq(
            model="llama-3.3-70b-versatile",
            api_key=SecretStr(key),
            base_url=f"{sandbox_server.url}/groq",
            timeout=5,
            max_retries=0,
            **more,
        )
        made.append(model)
        return model

    yield connecting
    for model in made:
        model.client._client.close()


def script(server: Server, *turns: dict[str, Any]) -> None:
    server.control("model-scripts", {"name": "groq", "turns": list(turns)})


class TestPlanned:
    def test_an_answer_without_tools_says_who_speaks(self, chat: Connect):
        answer = chat().invoke("hello")

        assert "keyword planner" in answer.content
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["total_tokens"] > 0
        assert answer.response_metadata["finish_reason"] == "stop"

    def test_a_stream_gives_the_same_in_pieces(self, chat: Connect):
        pieces = list(chat().stream("hello"))
        whole: AIMessageChunk = sum(pieces[1:], pieces[0])

        assert len(pieces) > 5
        assert whole.content == chat().invoke("hello").content
        assert whole.usage_metadata is not None
        assert whole.usage_metadata["output_tokens"] > 0
        assert whole.response_metadata["finish_reason"] == "stop"

    def test_a_bound_tool_is_called_and_its_result_retold(self, chat: Connect):
        model = chat().bind_tools([propose_trade])
        question = HumanMessage("Buy $50 of Apple")

        asked = model.invoke([question])

        (call,) = asked.tool_calls
        assert (call["name"], call["args"]["symbol"], call["args"]["side"]) == (
            "propose_trade",
            "AAPL",
            "buy",
        )
        assert Decimal(str(call["args"]["notional"])) == 50
        result = ToolMessage(propose_trade.invoke(call["args"]), tool_call_id=call["id"])
        assert "buy 50 of AAPL" in model.invoke([question, asked, result]).content

    def test_arguments_of_a_streamed_call_come_in_pieces(self, chat: Connect):
        streamed = chat().bind_tools([propose_trade]).stream("sell $12.50 of MSFT")
        pieces = [piece for piece in streamed if isinstance(piece, AIMessageChunk)]
        whole: AIMessageChunk = sum(pieces[1:], pieces[0])

        assert sum(bool(piece.tool_call_chunks) for piece in pieces) > 2
        (call,) = whole.tool_calls
        assert call["name"] == "propose_trade"
        assert (call["args"]["symbol"], call["args"]["side"]) == ("MSFT", "sell")
        assert whole.response_metadata["finish_reason"] == "tool_calls"

    def test_a_structured_answer_has_the_structure(self, chat: Connect):
        verdict = chat().with_structured_output(Verdict).invoke("buy $5 of KO")

        assert verdict == Verdict(action="trade", symbol="KO")


class TestScripted:
    def test_turns_are_played_one_after_the_other_then_the_planner_speaks(
        self, sandbox_server: Server, chat: Connect
    ):
        script(
            sandbox_server,
            {"tool_calls": [{"name": "propose_trade", "arguments": {"notional": 1.5}}]},
            {"content": "Done."},
        )

        first, second, third = (chat().invoke("hello") for _ in range(3))

        assert first.tool_calls[0]["args"] == {"notional": 1.5}
        assert second.content == "Done."
        assert "keyword planner" in third.content

    def test_arguments_may_be_text_that_is_no_json(self, sandbox_server: Server, chat: Connect):
        script(sandbox_server, {"tool_calls": [{"name": "propose_trade", "arguments": "{oops"}]})

        answer = chat().invoke("hello")

        assert answer.tool_calls == []
        assert answer.invalid_tool_calls[0]["args"] == "{oops"

    def test_an_error_is_answered_as_the_vendor_would(self, sandbox_server: Server, chat: Connect):
        script(
            sandbox_server,
            {"error": {"status": 400, "code": "tool_use_failed", "message": "Failed to call"}},
        )

        with pytest.raises(groq.BadRequestError, match="tool_use_failed"):
            chat().invoke("hello")

    def test_a_rate_limit_says_when_to_come_back(self, sandbox_server: Server):
        script(sandbox_server, {"error": {"status": 429, "retry_after": 0.2}})

        answer = complete(sandbox_server, {"model": "m", "messages": [{"role": "user"}]})

        assert (answer.status_code, answer.headers["retry-after"]) == (429, "0.2")

    def test_a_stream_can_break_off(self, sandbox_server: Server):
        script(sandbox_server, {"content": "one two three four", "cut_after": 2})

        answer = complete(
            sandbox_server,
            {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True},
        )

        assert '"content": "two ' in answer.text
        assert "three" not in answer.text
        assert "[DONE]" not in answer.text


class TestAccess:
    def test_a_wrong_key_is_refused(self, chat: Connect):
        with pytest.raises(groq.AuthenticationError):
            chat("gsk_wrong").invoke("hello")

    def test_the_vendors_client_lists_models(self, sandbox_server: Server):
        url = f"{sandbox_server.url}/groq"

        with groq.Groq(api_key="gsk_sandbox", base_url=url) as client:
            listed = [model.id for model in client.models.list().data]

        assert "llama-3.3-70b-versatile" in listed

    @pytest.mark.parametrize(
        "body", [None, [], {}, {"model": "m"}, {"model": "m", "messages": []}, {"messages": [{}]}]
    )
    def test_a_wrong_request_is_refused(self, sandbox_server: Server, body: Any):
        assert complete(sandbox_server, body).status_code == 400


def complete(server: Server, body: Any) -> httpx.Response:
    return httpx.post(
        f"{server.url}/groq/openai/v1/chat/completions",
        json=body,
        headers={"authorization": "Bearer gsk_sandbox"},
    )


def test_what_the_model_was_sent_can_be_looked_at(chat: Connect, sandbox_server: Server) -> None:
    sandbox_server.control("reset")
    chat().invoke([HumanMessage("who am I?")])

    [prompt] = sandbox_server.control("prompts", method="GET")["prompts"]
    assert prompt["messages"] == [{"role": "user", "content": "who am I?"}]
