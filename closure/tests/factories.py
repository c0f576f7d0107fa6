"""Closures for tests of other apps."""

from closure.models import Closure
from closure.states import ClosureState
from core.clock import database_now
from core.ids import new_id


def stopped_closure(bank):
    """A closure that its owner has stopped; the caller is acting as somebody who may write it."""
    now = database_now()
    closure = Closure.begin(
        bank.account, bank, pk=new_id(), confirmed=["confirm_liquidation"], by="customer:", at=now
    )
    closure.advance(ClosureState.CANCELED, at=now)
    return closure
