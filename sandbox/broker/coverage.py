"""What accounts hold by a storm's own notes, so that it never sells what is not there."""

from decimal import Decimal

from sandbox.broker.core import Broker
from sandbox.broker.records import ZERO, Order


class Coverage:
    """
    The executions of each account and symbol, in the order of their time.

    A corrected purchase is noted late and a corrected sale early: what is covered then is also
    covered for a reader who counts a correction from the other of the two moments.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._begun_with: dict[tuple[str, str], Decimal] = {}
        self._moves: dict[tuple[str, str], dict[str, Decimal]] = {}

    def meet(self, order: Order) -> None:
        """Remember what is held before the first execution of an order's symbol."""
        self._moves_of(order)

    def held(self, order: Order) -> Decimal:
        """Tell how many shares of an order's symbol its account holds now."""
        return self.position(order.account_id, order.symbol)

    def add(self, order: Order, execution_id: str, qty: Decimal) -> None:
        """Note an execution as the latest."""
        self._moves_of(order)[execution_id] = qty if order.is_buy else -qty

    def remove(self, order: Order, execution_id: str) -> None:
        """Note that an execution is void."""
        del self._moves_of(order)[execution_id]

    def replace(self, order: Order, old: str, new: str, qty: Decimal) -> None:
        """Note that one execution has taken the place of another."""
        if order.is_buy:
            self.remove(order, old)
            self.add(order, new, qty)
            return
        moves = self._moves_of(order)
        renamed = {(new if name == old else name): moved for name, moved in moves.items()}
        moves.clear()
        moves.update(renamed | {new: -qty})

    def is_enough_without(self, order: Order, execution_id: str) -> bool:
        """Say whether at every moment there would be shares to sell without an execution."""
        moves = self._moves_of(order)
        held = self._begun_with[order.account_id, order.symbol]
        for name, moved in moves.items():
            held += ZERO if name == execution_id else moved
            if held < 0:
                return False
        return True

    def positions(self) -> dict[str, dict[str, Decimal]]:
        """Tell what is held of all that was met, by account and symbol."""
        found: dict[str, dict[str, Decimal]] = {}
        for account_id, symbol in sorted(self._moves):
            found.setdefault(account_id, {})[symbol] = self.position(account_id, symbol)
        return found

    def position(self, account_id: str, symbol: str) -> Decimal:
        """Tell how many shares of a symbol that was met an account holds now."""
        key = account_id, symbol
        return self._begun_with[key] + sum(self._moves[key].values(), ZERO)

    def _moves_of(self, order: Order) -> dict[str, Decimal]:
        key = order.account_id, order.symbol
        if key not in self._moves:
            self._begun_with[key] = self._broker.books.position(*key).qty
            self._moves[key] = {}
        return self._moves[key]
