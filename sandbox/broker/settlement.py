"""When the proceeds of sales may leave: they buy at once, and settle a day after the trade."""

from datetime import datetime, time, timedelta
from decimal import Decimal

from sandbox.broker import figures
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.records import ZERO, Account

# The broker's books of a day are ready in the morning.
_MORNING = time(7, 30)
_ONE_DAY = timedelta(days=1)


def settles_at(broker: Broker, at: datetime) -> datetime:
    """Tell when a trade settles: a session later, or a day later if the market never closes."""
    sessions = broker.world.prices.sessions
    if sessions.mode == "open":
        # Whole minutes keep the list of an account short, however much it trades.
        return (at + _ONE_DAY).replace(second=0, microsecond=0)
    day = sessions.after(sessions.started(at).date).date
    return datetime.combine(day, _MORNING, NEW_YORK)


def note(broker: Broker, account_id: str, cash: Decimal, at: datetime) -> None:
    """
    Remember a trade's cash, after it has moved.

    A sale waits. A purchase that settled cash does not cover is paid by what settles first.
    """
    account = broker.books.accounts[account_id]
    waiting = _waiting(broker, account)
    if cash > ZERO:
        due = settles_at(broker, at).isoformat()
        waiting[due] = waiting.get(due, ZERO) + cash
    else:
        overdrawn = sum(waiting.values(), ZERO) - max(account.cash, ZERO)
        for due in sorted(waiting, key=datetime.fromisoformat):
            used = min(max(overdrawn, ZERO), waiting[due])
            waiting[due] -= used
            overdrawn -= used
    account.unsettled = {due: amount for due, amount in waiting.items() if amount}
    broker.books.save(account)


def _waiting(broker: Broker, account: Account) -> dict[str, Decimal]:
    now = broker.now()
    return {
        due: amount
        for due, amount in account.unsettled.items()
        if datetime.fromisoformat(due) > now
    }


def unsettled(broker: Broker, account: Account) -> Decimal:
    """Sum up the proceeds that have not settled yet."""
    return min(sum(_waiting(broker, account).values(), ZERO), max(account.cash, ZERO))


def withdrawable(broker: Broker, account: Account) -> Decimal:
    """Tell how much may leave the account: settled cash that nothing holds."""
    free = figures.buying_power(broker, account) - unsettled(broker, account)
    return max(free, ZERO)
