"""
Stands in for a language model: picks a tool by keywords, then retells what the tool said.

It knows no product and no tool by name. It reads the names, descriptions and schemas of what the
request offers, and it never claims to be more than it is.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.arguments import Tool, fill, parts_of
from sandbox.assets import Catalogue
from sandbox.understanding import Intent, Request, understand

WHO = "I am a keyword planner standing in for a language model"
_SIGNATURE = "(Keyword planner, standing in for a language model.)"
_QUESTION = "I still need "
_LONGEST_LIST = 8
_LONGEST_TEXT = 600

# What a tool that serves an intent is likely to be called or described with.
_SERVES: dict[Intent, tuple[str, ...]] = {
    Intent.TRADE: ("trade", "order", "buy", "sell", "propose", "purchase", "execute"),
    Intent.PORTFOLIO: (
        "portfolio", "holding", "position", "balance", "account", "value", "summary",
    ),
    Intent.PRICE: ("price", "quote", "market", "snapshot"),
    Intent.ACTIVITY: ("activity", "activities", "history", "orders", "transaction", "trades"),
    Intent.FUNDING: ("transfer", "deposit", "withdraw", "funding", "bank"),
    Intent.RESEARCH: ("research", "news", "search", "web", "company", "analysis", "fundamental"),
    Intent.TALK: (),
}  # fmt: skip
_NAME_WEIGHT, _DESCRIPTION_WEIGHT, _ENOUGH = 3, 1, 2

Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A tool to be called."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What the assistant does next: it says something or calls tools."""

    content: str | None = None
    calls: list[Call] = field(default_factory=list)


def plan(body: dict[str, Any], catalogue: Catalogue) -> Turn:
    """Answer a chat-completions request."""
    messages: list[Message] = body["messages"]
    results = list(_tool_results(messages))
    request = understand(_question(messages), catalogue)
    schema = _wanted_shape(body.get("response_format"))
    if schema is not None:
        return _shaped(schema, request)
    tools = _offered(body)
    if results:
        return Turn(content=_retold(results))
    forced = _forced(body.get("tool_choice"), tools)
    if forced is not None:
        return Turn(calls=[Call(name=forced.name, arguments=fill(forced, request)[0])])
    chosen = _best(tools, request)
    if chosen is None:
        return Turn(content=_small_talk(request, tools))
    arguments, missing = fill(chosen, request)
    missing += _missing_amount(chosen, arguments, request)
    if missing:
        return Turn(content=_ask_for(missing))
    return Turn(calls=[Call(name=chosen.name, arguments=arguments)])


# Reading the conversation


def text_of(message: Message) -> str:
    """Give the text of a message, whichever of the two forms it has."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content or ""


def _question(messages: Sequence[Message]) -> str:
    """Give the user's last message; if it answers our question, with the one before."""
    spoken = [m for m in messages if m.get("role") in {"user", "assistant"} and text_of(m)]
    said = [n for n, message in enumerate(spoken) if message["role"] == "user"]
    if not said:
        return ""
    text, earlier = text_of(spoken[said[-1]]), spoken[: said[-1]]
    if len(said) > 1 and earlier and text_of(earlier[-1]).startswith(_QUESTION):
        return f"{text_of(spoken[said[-2]])} {text}"
    return text


def _tool_results(messages: Sequence[Message]) -> Iterator[str]:
    """Give the results of the tools called in the assistant's latest turn, if it is the last."""
    ending: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        ending.append(text_of(message))
    return reversed(ending)


def _offered(body: dict[str, Any]) -> list[Tool]:
    if body.get("tool_choice") == "none":
        return []
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return [Tool(f["name"], f.get("description", ""), f.get("parameters", {})) for f in functions]


def _forced(choice: Any, tools: list[Tool]) -> Tool | None:
    if isinstance(choice, dict):
        wanted = choice.get("function", {}).get("name")
        return next((tool for tool in tools if tool.name == wanted), None)
    return tools[0] if choice == "required" and len(tools) == 1 else None


def _wanted_shape(response_format: Any) -> dict[str, Any] | None:
    if not isinstance(response_format, dict) or response_format.get("type") != "json_schema":
        return None
    schema: dict[str, Any] = response_format.get("json_schema", {}).get("schema", {})
    return schema


def _shaped(schema: dict[str, Any], request: Request) -> Turn:
    arguments, _ = fill(Tool("answer", "", schema), request)
    return Turn(content=json.dumps(arguments))


# Choosing


def _best(tools: list[Tool], request: Request) -> Tool | None:
    scored = [(_score(tool, request), tool) for tool in tools]
    best = max(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] >= _ENOUGH else None


def _score(tool: Tool, request: Request) -> float:
    if tool.can_trade != (request.intent is Intent.TRADE) and tool.can_trade:
        return 0
    name, description = parts_of(tool.name), parts_of(tool.description)
    score = 0.0
    for hint in _SERVES[request.intent]:
        score += _NAME_WEIGHT * _has(name, hint) + _DESCRIPTION_WEIGHT * _has(description, hint)
    if request.intent is Intent.TRADE and tool.can_trade:
        score += _NAME_WEIGHT
        other_side = {"buy": "sell", "sell": "buy"}.get(request.side or "")
        score -= 2 * _NAME_WEIGHT * (other_side in name and request.side not in name)
    if score and tool.has_symbol and not request.symbols:
        score -= 1
    return score


def _has(words: set[str], hint: str) -> bool:
    return any(word.startswith(hint) or word + "s" == hint for word in words)


def _missing_amount(tool: Tool, arguments: dict[str, Any], request: Request) -> list[str]:
    """Notice an order without an amount, although the schema would allow it."""
    if request.intent is not Intent.TRADE or not tool.can_trade:
        return []
    if request.dollars is not None or request.shares is not None:
        return []
    return [] if _mentions_amount(arguments) else ["an amount in dollars or a number of shares"]


def _mentions_amount(arguments: dict[str, Any]) -> bool:
    amounts = {"notional", "amount", "quantity", "qty", "shares", "dollars"}
    return any(parts_of(name) & amounts for name in arguments)


# Speaking


def _ask_for(missing: list[str]) -> str:
    names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in missing))
    return f"{_QUESTION}{names} for that. {_SIGNATURE}"


def _small_talk(request: Request, tools: list[Tool]) -> str:
    if not tools:
        return f"{WHO}: I have no tool to look this up with, so I cannot really answer."
    names = ", ".join(tool.name.replace("_", " ") for tool in tools[:_LONGEST_LIST])
    examples = ["what is my portfolio worth?"]
    if any(tool.can_trade for tool in tools):
        examples.append("buy $50 of AAPL")
    hint = " or ".join(f'"{example}"' for example in examples)
    unmatched = "I could not match that to any of them. " if request.words else ""
    return f"{WHO}. I can use these tools: {names}. {unmatched}Try {hint}."


def _retold(results: list[str]) -> str:
    told = " ".join(_one_result(result) for result in results)
    return f"{told} {_SIGNATURE}"


def _one_result(result: str) -> str:
    text = result.strip()
    if not text:
        return "The tool gave no result."
    try:
        content = json.loads(text)
    except ValueError:
        return text if text.endswith((".", "!", "?")) else f"{text[:_LONGEST_TEXT]}."
    if isinstance(content, dict) and "error" in content:
        return f"That did not work: {_told(content['error'])}."
    return f"Here is what I found: {_told(content)}."


def _told(content: Any) -> str:
    if isinstance(content, dict):
        pairs = [f"{key.replace('_', ' ')} {_told(value)}" for key, value in content.items()]
        return ", ".join(pairs)
    if isinstance(content, list):
        if not content:
            return "nothing"
        if all(isinstance(item, dict) and item for item in content):  # told by what names them
            return ", ".join(str(next(iter(item.values()))) for item in content)
        more = len(content) - _LONGEST_LIST
        shown = "; ".join(_told(item) for item in content[:_LONGEST_LIST])
        return f"{shown}; and {more} more" if more > 0 else shown
    if content is None:
        return "unknown"
    return str(content)
