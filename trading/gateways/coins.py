"""How Alpaca writes the names of coins where it leaves their slash out."""

import re
from typing import Final

# What coins are paid in at the broker; the longer of two that end alike comes first.
_PAID_IN: Final = "USDT|USDC|USD|BTC"
_JOINED: Final = re.compile(rf"([A-Z0-9]+?)({_PAID_IN})", re.ASCII)
# No share's symbol is so long without a dot.
_SHORTEST: Final = 6


def with_slash(symbol: str, *, asset_class: str = "") -> str:
    """
    Return the symbol as instruments have it: `BTCUSD`, as positions and books say, is `BTC/USD`.

    Books do not tell the class of what they name; there the length has to tell a coin.
    """
    is_coin = asset_class == "crypto" or (not asset_class and len(symbol) >= _SHORTEST)
    found = _JOINED.fullmatch(symbol) if is_coin else None
    return symbol if found is None else f"{found[1]}/{found[2]}"
