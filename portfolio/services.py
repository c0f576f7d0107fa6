"""Actions of the portfolio app: have what is valued priced."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from market import services as market
from portfolio import selectors
from portfolio.live.holdings import AccountHoldings


def want_prices(*, reason: str, symbols: Collection[str]) -> None:
    """Have these symbols' prices followed for as long as a process values them."""
    market.want_symbols(reason=reason, symbols=symbols)


def load_accounts(*, account_ids: Collection[UUID]) -> dict[UUID, AccountHoldings]:
    """Read what these accounts hold, for a process that serves their sockets."""
    return selectors.load_holdings(account_ids=account_ids, at=datetime.now(UTC))
