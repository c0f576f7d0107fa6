"""The open orders by what is asked of them at every order, so that none costs more than another."""

from decimal import Decimal

from sandbox.broker.ladders import Ladder
from sandbox.broker.records import ZERO, Order
from sandbox.prices import Quote


class OpenOrders:
    """Indexes of the orders that are open; an order is put in anew whenever it changes."""

    def __init__(self) -> None:
        self._by_account: dict[str, dict[str, Order]] = {}
        self._by_side: dict[tuple[str, str, str], dict[str, Order]] = {}
        self._ladders: dict[str, Ladder] = {}
        # What an account's orders hold: money, and shares to be bought at whatever they cost.
        self._money: dict[str, Decimal] = {}
        self._shares: dict[tuple[str, str], Decimal] = {}
        self._symbols: dict[str, set[str]] = {}
        self._holds: dict[str, tuple[Decimal, Decimal]] = {}

    def put(self, order: Order) -> None:
        """Take a new or changed order in, or out once it has ended."""
        side = (order.account_id, order.symbol, order.side)
        for index in (
            self._by_account.setdefault(order.account_id, {}),
            self._by_side.setdefault(side, {}),
        ):
            if order.is_open:
                index[order.id] = order
            else:
                index.pop(order.id, None)
        self._hold(order)
        self._ladders.setdefault(order.symbol, Ladder()).put(order)

    def _hold(self, order: Order) -> None:
        reserve = order.fixed_reserve
        new = (ZERO, order.remaining_qty or ZERO) if reserve is None else (reserve, ZERO)
        old = self._holds.pop(order.id, (ZERO, ZERO))
        if any(new):
            self._holds[order.id] = new
        account_id, key = order.account_id, (order.account_id, order.symbol)
        self._money[account_id] = self._money.get(account_id, ZERO) + new[0] - old[0]
        self._shares[key] = self._shares.get(key, ZERO) + new[1] - old[1]
        self._symbols.setdefault(account_id, set()).add(order.symbol)

    def of(self, account_id: str) -> dict[str, Order]:
        """Give an account's open orders by id."""
        return self._by_account.get(account_id, {})

    def of_side(self, account_id: str, symbol: str, side: str) -> list[Order]:
        """List an account's open orders of a symbol that buy, or those that sell."""
        return list(self._by_side.get((account_id, symbol, side), {}).values())

    def money_held(self, account_id: str) -> Decimal:
        """Tell how much money the orders hold whose price is known."""
        return self._money.get(account_id, ZERO)

    def shares_held(self, account_id: str) -> dict[str, Decimal]:
        """Tell how many shares of each symbol shall be bought at whatever they cost."""
        symbols = self._symbols.get(account_id, ())
        found = {symbol: self._shares.get((account_id, symbol), ZERO) for symbol in symbols}
        return {symbol: qty for symbol, qty in found.items() if qty}

    def symbols(self) -> list[str]:
        """List the symbols of which orders work."""
        return [symbol for symbol, ladder in self._ladders.items() if ladder]

    def reached(self, symbol: str, quote: Quote) -> list[Order]:
        """List the working orders that may fill at this quote."""
        return self._ladders[symbol].reached(quote)
