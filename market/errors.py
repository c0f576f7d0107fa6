"""What can be wrong with a question about the market."""

from core.errors import CleraError, NotFound


class UnknownSymbol(NotFound):
    """Neither we nor the broker know an instrument of this symbol."""

    code = "unknown_symbol"
    detail = "There is no instrument with this symbol."


class PriceUnavailable(CleraError):
    """Nobody could tell a price; none is invented."""

    code = "price_unavailable"
    status = 409
    detail = "There is no price for this symbol right now; try again shortly."


class PriceStale(PriceUnavailable):
    """The last known price is too old to act on."""

    code = "price_stale"
    detail = "The last price of this symbol is too old; try again shortly."
