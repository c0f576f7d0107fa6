"""Deciding what a closure does next, from facts alone."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from closure.saga import names
from closure.saga.actions import (
    Action,
    AskAgain,
    AskBroker,
    CancelOrders,
    Fail,
    Finish,
    Move,
    Order,
    Review,
    Sell,
    SellAgain,
    Stop,
    Wait,
    Withdraw,
)
from closure.saga.facts import Asked, Facts, Holding, Sale, Withdrawal
from closure.states import STOPPABLE, ProblemKind, Step

ZERO: Final = Decimal(0)
# The broker is asked so soon after something was asked of it.
SOON: Final = timedelta(seconds=2)
SHORTLY: Final = timedelta(seconds=10)
LATER: Final = timedelta(minutes=1)
SELDOM: Final = timedelta(minutes=10)
# So many sales are handed in before the worker looks again.
SALES_AT_ONCE: Final = 5
# So many withdrawals may come to nothing on one day before people have to look.
MOST_TRIES: Final = 3
_NOT_TOLD: Final = "The broker does not say right now how much cash there is, or may leave."


def next_action(facts: Facts) -> Action:
    """Say what to do next."""
    if facts.is_over:
        return Finish()
    if facts.is_stop_asked and facts.step in STOPPABLE:
        return Stop()
    if facts.step != Step.READINESS and facts.bar:
        return Wait(delay=LATER, problem=facts.bar)
    return _DECISIONS[facts.step](facts)


def _readiness(facts: Facts) -> Action:
    if facts.blockers:
        return Fail(problem=" ".join(facts.blockers))
    return Move(to=Step.CANCEL_ORDERS)


def _cancel_orders(facts: Facts) -> Action:
    if not facts.others:
        return Move(to=Step.LIQUIDATE)
    if any(not order.is_cancel_asked for order in facts.others):
        return CancelOrders()
    if any(order.is_under_review for order in facts.others):
        problem = "Nobody knows yet what became of an order; our staff is looking into it."
        return Wait(delay=LATER, problem=problem)
    return Wait(delay=SHORTLY)


def _liquidate(facts: Facts) -> Action:
    if facts.others:
        return Move(to=Step.CANCEL_ORDERS)
    if not facts.is_known:
        return Wait(delay=SHORTLY)
    if any(holding.quantity < 0 for holding in facts.holdings):
        problem = "The account owes shares, which nobody may buy for it without a person's word."
        return Review(kind=ProblemKind.SHORT_POSITION, problem=problem)
    if not facts.holdings and not facts.working_sales:
        return _liquidated(facts)
    over = [each for each in facts.holdings if _is_over(each.sale)]
    if over:
        return SellAgain(holdings=over)
    return _sell(facts)


def _is_over(sale: Sale | None) -> bool:
    return sale is not None and not sale.is_working and sale.is_booked


def _liquidated(facts: Facts) -> Action:
    if not facts.has_traded:
        return Move(to=Step.SETTLE)
    if facts.settlement is None:
        return Wait(delay=LATER, problem="The broker's calendar is not known right now.")
    return Move(to=Step.SETTLE, settles_on=facts.settlement)


def _sell(facts: Facts) -> Action:
    unsold = [each for each in facts.holdings if each.sale is None]
    due = [each for each in unsold if each.not_before is None or each.not_before <= facts.at]
    problem = _problem_of(facts.holdings)
    if not due:
        is_waiting = facts.working_sales or len(unsold) < len(facts.holdings)
        return Wait(delay=SHORTLY if is_waiting else _until_due(unsold, facts), problem=problem)
    if facts.is_market_open is None:
        return Wait(delay=LATER, problem="Nobody can say right now whether the market is open.")
    if not facts.is_market_open:
        until = facts.opens_at - facts.at if facts.opens_at else LATER
        words = "The market is closed; what is held is sold when it opens."
        return Wait(delay=min(max(until, SHORTLY), SELDOM), problem=words)
    orders = [
        Order(
            id=names.sale_id(facts.closure_id, each.symbol, each.number),
            symbol=each.symbol,
            quantity=each.quantity if each.most is None else min(each.quantity, each.most),
        )
        for each in due[:SALES_AT_ONCE]
    ]
    return Sell(orders=orders)


def _until_due(unsold: Sequence[Holding], facts: Facts) -> timedelta:
    """Say how long it is until the first of them is tried again."""
    first = min((each.not_before for each in unsold if each.not_before), default=facts.at)
    return min(max(first - facts.at, SOON), SELDOM)


def _problem_of(holdings: Sequence[Holding]) -> str:
    held = any(each.sale is not None and each.sale.is_held for each in holdings)
    words = ["Orders are stopped for now; the sale waits."] if held else []
    words += [f"{each.symbol}: {each.problem}" for each in holdings if each.problem]
    return " ".join(words)


def _settle(facts: Facts) -> Action:
    return _back_to_orders(facts) or _wait_for_day(facts) or _wait_for_release(facts)


def _wait_for_day(facts: Facts) -> Action | None:
    if facts.settles_on is not None and facts.today < facts.settles_on:
        return Wait(delay=SELDOM)
    if facts.others_moving:
        return Wait(delay=LATER, problem="Another transfer is still on its way.")
    return None


def _wait_for_release(facts: Facts) -> Action:
    if facts.cash is None or facts.withdrawable is None:
        return Wait(delay=LATER, problem=_NOT_TOLD)
    if facts.cash < 0:
        return _owes()
    if facts.withdrawable < facts.cash:
        return Wait(delay=LATER, problem="The broker has not released all of the cash yet.")
    return Move(to=Step.WITHDRAW if facts.cash > 0 else Step.CLOSE)


def _back_to_orders(facts: Facts) -> Action | None:
    """Go back when something is held or ordered again, such as by a late correction."""
    if facts.others:
        return Move(to=Step.CANCEL_ORDERS)
    if not facts.is_known:
        return Wait(delay=SHORTLY)
    if facts.holdings or facts.working_sales:
        return Move(to=Step.LIQUIDATE)
    return None


def _owes() -> Review:
    problem = "The account owes the broker money; it has to be paid in first."
    return Review(kind=ProblemKind.NEGATIVE_CASH, problem=problem)


def _withdraw(facts: Facts) -> Action:
    return (
        _back_to_orders(facts)
        or _look_at_withdrawals(facts)
        or _look_at_cash(facts)
        or _pay_out(facts)
    )


def _look_at_withdrawals(facts: Facts) -> Action | None:
    returned = [each for each in facts.withdrawals if each.is_returned]
    returned = [each for each in returned if each.id not in facts.excused]
    if returned:
        words = returned[0].reason or "it does not say why"
        return Review(
            kind=ProblemKind.WITHDRAWAL_RETURNED,
            problem=f"The bank has sent a withdrawal back: {words}",
            about=[each.id for each in returned],
        )
    if any(each.is_under_review for each in facts.withdrawals):
        problem = "Nobody knows yet what became of a withdrawal; our staff is looking into it."
        return Wait(delay=LATER, problem=problem)
    if facts.others_moving or any(each.is_unfinished for each in facts.withdrawals):
        return Wait(delay=LATER)
    return None


def _look_at_cash(facts: Facts) -> Action | None:
    if facts.cash is None or facts.withdrawable is None:
        return Wait(delay=LATER, problem=_NOT_TOLD)
    if facts.cash < 0:
        return _owes()
    if facts.cash == 0:
        return Move(to=Step.CLOSE)
    return None


def _pay_out(facts: Facts) -> Action:
    room, cash = facts.room, min(facts.cash or ZERO, facts.withdrawable or ZERO)
    if room is None or room.business_date is None:
        return Wait(delay=LATER, problem="The broker's calendar is not known right now.")
    today = [each for each in facts.withdrawals if each.business_date == room.business_date]
    amount = min(cash, room.most)
    return (
        _look_at_day(today, facts)
        or _look_at_bank(facts)
        or _look_at_amount(amount, cash=cash, facts=facts)
        or Withdraw(
            id=names.withdrawal_id(facts.closure_id, room.business_date, len(today)), amount=amount
        )
    )


def _look_at_day(today: Sequence[Withdrawal], facts: Facts) -> Action | None:
    """Let one withdrawal a day through, and not try a refused one for ever."""
    failed = [each for each in today if each.is_undone and each.id not in facts.excused]
    if len(failed) >= MOST_TRIES:
        return Review(
            kind=ProblemKind.WITHDRAWAL_REFUSED,
            problem=f"The withdrawal was refused {len(failed)} times: {failed[0].reason}",
            about=[each.id for each in failed],
        )
    if not all(each.is_undone or each.is_returned for each in today):
        return Wait(delay=SELDOM, problem="The rest leaves on the next working day.")
    return None


def _look_at_bank(facts: Facts) -> Action | None:
    if facts.is_bank_good:
        return None
    problem = "The bank that was named takes no money any more; link another one."
    return Review(kind=ProblemKind.NO_BANK, problem=problem)


def _look_at_amount(amount: Decimal, *, cash: Decimal, facts: Facts) -> Action | None:
    if cash <= 0:
        return Wait(delay=LATER, problem="The broker has not released the cash yet.")
    if cash < facts.smallest:
        problem = f"The {cash} dollars that are left are too little for a bank transfer."
        return Review(kind=ProblemKind.TOO_LITTLE, problem=problem)
    if facts.room and facts.room.in_books is not None and facts.room.in_books < facts.smallest:
        return Wait(delay=LATER, problem="Our books do not show the cash that is left yet.")
    if amount < facts.smallest:
        words = "No more may leave on this working day; the rest leaves on the next one."
        return Wait(delay=SELDOM, problem=words)
    return None


def _close(facts: Facts) -> Action:
    back = _back_to_orders(facts)
    if back is not None:
        return back
    if facts.asked is not None and not facts.asked.is_undecided:
        return _follow(facts.asked)
    return _look_at_withdrawals(facts) or _ask(facts)


def _ask(facts: Facts) -> Action:
    if facts.cash is None:
        return Wait(delay=LATER, problem=_NOT_TOLD)
    if facts.cash != 0:
        return Move(to=Step.SETTLE)
    if facts.asked is not None:
        return Wait(delay=SHORTLY)
    return AskBroker(id=names.request_id(facts.closure_id, facts.number), number=facts.number)


def _follow(asked: Asked) -> Action:
    if asked.is_accepted and asked.is_overdue:
        problem = "The broker has agreed to close the account, and still has not closed it."
        return Review(kind=ProblemKind.STILL_OPEN, problem=problem)
    if asked.is_accepted:
        return Wait(delay=SHORTLY, problem="The broker is closing the account.")
    if asked.is_refused:
        problem = f"The broker does not close the account: {asked.reason}"
        return Review(kind=ProblemKind.CLOSING_REFUSED, problem=problem)
    return AskAgain()


def _done(_: Facts) -> Action:
    return Finish()


_DECISIONS: Final[dict[Step, Callable[[Facts], Action]]] = {
    Step.READINESS: _readiness,
    Step.CANCEL_ORDERS: _cancel_orders,
    Step.LIQUIDATE: _liquidate,
    Step.SETTLE: _settle,
    Step.WITHDRAW: _withdraw,
    Step.CLOSE: _close,
    Step.DONE: _done,
}
