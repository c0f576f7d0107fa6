"""What a sentence asks for, found by its words: intent, symbols, side and amounts. No model."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import lru_cache

from sandbox.assets import Asset, Catalogue


class Intent(Enum):
    """What somebody wants."""

    TRADE = "trade"
    PORTFOLIO = "portfolio"
    PRICE = "price"
    ACTIVITY = "activity"
    FUNDING = "funding"
    RESEARCH = "research"
    TALK = "talk"


# Words are compared by their beginning, so that "holding" finds "holdings".
_BUY = ("buy", "purchase", "invest", "acquire")
_SELL = ("sell", "liquidate")
_BUY_WITH_AMOUNT = {"put", "get"}  # as in "put $50 into Apple"
# In this order: the first whose words occur wins.
_INTENT_WORDS: tuple[tuple[Intent, tuple[str, ...]], ...] = (
    (Intent.FUNDING, ("deposit", "withdraw", "transfer")),
    (
        Intent.ACTIVITY,
        ("activit", "orders", "history", "transaction", "statement", "trades"),
    ),
    (
        Intent.PORTFOLIO,
        (
            *("portfolio", "holding", "position", "balance", "account", "worth", "cash"),
            *("perform", "return", "gain", "allocation", "diversif", "own", "value", "buying"),
            "doing",
        ),
    ),
    (Intent.PRICE, ("price", "quote", "trading", "cost", "much")),
    (
        Intent.RESEARCH,
        ("news", "research", "analy", "earnings", "compan", "sector", "about", "outlook"),
    ),
)
# Tickers that are also words: in lower case they are words.
_ALSO_WORDS = {
    "a", "all", "an", "any", "are", "arm", "be", "big", "bill", "c", "can", "cat", "cb", "cl",
    "cost", "d", "dash", "de", "dia", "ea", "f", "for", "ge", "gm", "has", "hd", "hood", "i",
    "it", "key", "low", "ma", "may", "mo", "ms", "net", "now", "o", "on", "one", "open", "pm",
    "see", "shop", "so", "spot", "t", "team", "two", "v", "well",
}  # fmt: skip
_TRADE_IDIOM = re.compile(r"(?:of|in|into|for|buy|sell|shares?|\$)\s*$", re.IGNORECASE)
_AMBIGUOUS_ALIASES = frozenset(
    {"the", "first", "general", "american", "southern", "texas", "shell"}
)
_NAME_ENDINGS = re.compile(
    r"[,.]|\b(?:inc|incorporated|corporation|corp|company|co|plc|ltd|limited|holdings?|group|n v"
    r"|platforms|class [abc]|s a|a s|& co|technologies|com)\b"
)
_EXTRA_ALIASES = {"google": "GOOGL", "facebook": "META", "berkshire": "BRK.B", "s&p": "SPY"}

_NUMBER = r"(\d[\d,]*(?:\.\d+)?)\s*(k|m)?"
_DOLLARS = re.compile(
    rf"(?:\$|usd\s*)\s*{_NUMBER}\b|{_NUMBER}\s*(?:dollars?|bucks|usd)\b", re.IGNORECASE
)
_SHARES = re.compile(rf"{_NUMBER}\s*(?:shares?|units?|stocks?)\b", re.IGNORECASE)
_LIMIT = re.compile(
    rf"(?:limit(?:\s+price)?(?:\s+(?:of|at))?|\bat)\s*\$\s*{_NUMBER}\b", re.IGNORECASE
)
_BARE_NUMBER = re.compile(rf"(?:buy|sell|purchase)\s+{_NUMBER}\b", re.IGNORECASE)
_TICKER = re.compile(r"\$?\b[A-Za-z]{1,5}(?:\.[A-Za-z])?\b")
_SCALE = {"k": 1000, "m": 1_000_000, "": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A sentence, understood as far as words go."""

    text: str
    intent: Intent
    words: tuple[str, ...]
    symbols: list[str] = field(default_factory=list)
    side: str | None = None
    dollars: Decimal | None = None
    shares: Decimal | None = None
    limit_price: Decimal | None = None


def understand(text: str, catalogue: Catalogue) -> Request:
    """Read one message."""
    words = tuple(re.findall(r"[a-z0-9&.]+", text.lower()))
    limit_price = _first_number(_LIMIT, text)
    rest = _LIMIT.sub(" ", text)
    side = _side(words)
    shares = _first_number(_SHARES, rest)
    dollars = _first_number(_DOLLARS, rest)
    if shares is None and dollars is None and side is not None:
        shares = _first_number(_BARE_NUMBER, rest)
    symbols = _symbols(text, catalogue)
    if side is None and symbols and (shares or dollars) and _BUY_WITH_AMOUNT & set(words):
        side = "buy"
    return Request(
        text=text,
        intent=_intent(words, side, symbols, has_amount=bool(shares or dollars)),
        words=words,
        symbols=symbols,
        side=side,
        dollars=dollars,
        shares=shares,
        limit_price=limit_price,
    )


def _intent(
    words: tuple[str, ...], side: str | None, symbols: list[str], *, has_amount: bool
) -> Intent:
    if side is not None and (symbols or has_amount):
        return Intent.TRADE
    for intent, beginnings in _INTENT_WORDS:
        if any(word.startswith(beginnings) for word in words):
            if intent is Intent.PORTFOLIO and _asks_for_a_price(words, symbols):
                return Intent.PRICE
            return intent
    return Intent.TRADE if side is not None else Intent.TALK


def _asks_for_a_price(words: tuple[str, ...], symbols: list[str]) -> bool:
    return bool(symbols) and not any(word in {"my", "i", "own", "portfolio"} for word in words)


def _side(words: tuple[str, ...]) -> str | None:
    for word in words:
        if word == "buying":  # as in "buying power"
            continue
        if word.startswith(_BUY):
            return "buy"
        if word.startswith(_SELL):
            return "sell"
    return None


def _symbols(text: str, catalogue: Catalogue) -> list[str]:
    found: dict[str, int] = {}
    for match in _TICKER.finditer(text):
        symbol = _as_symbol(match, text, catalogue)
        if symbol is not None:
            found.setdefault(symbol, match.start())
    lowered = text.lower()
    for alias, symbol in _aliases(catalogue).items():
        at = re.search(rf"(?<![\w$]){re.escape(alias)}(?:'s)?(?!\w)", lowered)
        if at is not None:
            found.setdefault(symbol, at.start())
    return sorted(found, key=lambda symbol: found[symbol])


def _as_symbol(match: re.Match[str], text: str, catalogue: Catalogue) -> str | None:
    written = match[0].lstrip("$")
    has_dollar = match[0].startswith("$")
    after_idiom = has_dollar or _TRADE_IDIOM.search(text[: match.start()]) is not None
    is_upper = written == written.upper()
    known = catalogue.get(written) if len(written) <= 6 else None  # noqa: PLR2004 - no id is so short
    if known is None:
        # An unknown ticker is passed on, for the product to refuse: it is not ours to judge.
        is_ticker = is_upper and len(written) > 1 and after_idiom and written != "USD"
        return written if is_ticker else None
    if is_upper:
        return known.symbol if len(written) > 1 or after_idiom else None
    return None if written.lower() in _ALSO_WORDS or len(written) < 3 else known.symbol  # noqa: PLR2004


@lru_cache(maxsize=4)
def _aliases(catalogue: Catalogue) -> dict[str, str]:
    """Map short company names, in lower case, to symbols."""
    known = dict(_EXTRA_ALIASES)
    for asset in catalogue.all():
        for alias in _short_names(asset):
            known.setdefault(alias, asset.symbol)
    return known


def _short_names(asset: Asset) -> list[str]:
    if asset.kind != "stock" or asset.status != "active":
        return []
    name = _NAME_ENDINGS.sub(" ", asset.name.lower().replace("the ", "", 1)).split()
    if not name:
        return []
    names = [" ".join(name)]
    if len(name[0]) > 3 and name[0] not in _AMBIGUOUS_ALIASES:  # noqa: PLR2004
        names.append(name[0])
    return [n for n in names if n not in _ALSO_WORDS]


def _first_number(pattern: re.Pattern[str], text: str) -> Decimal | None:
    match = pattern.search(text)
    if match is None:
        return None
    groups = [group for group in match.groups() if group is not None]
    scale = groups[1].lower() if len(groups) > 1 else ""
    return Decimal(groups[0].replace(",", "")) * _SCALE[scale]
