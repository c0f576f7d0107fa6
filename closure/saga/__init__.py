"""What a closure does next; pure functions of the facts."""

from closure.saga.deciding import SELDOM, SHORTLY, SOON, next_action
from closure.saga.facts import Facts

__all__ = ["SELDOM", "SHORTLY", "SOON", "Facts", "next_action"]
