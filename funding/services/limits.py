"""How much an account may move: for each transfer, and for each of the broker's working days."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, Sum

from core.errors import CleraError
from core.intents.states import IntentState
from core.money import Money
from funding import states
from funding.models import UNDECIDED, Transfer, TransferLimit
from funding.services import dates
from funding.states import Direction
from ledger.selectors import Cash

# What is undecided, or the broker has and has not undone, may have its effect.
_MAY_HAVE_EFFECT = UNDECIDED | (
    Q(state=IntentState.ACCEPTED) & ~Q(vendor_status__in=sorted(states.TRANSFER_UNDONE))
)
ZERO = Decimal("0.00")


class TransferLimitReached(CleraError):
    """So much is not let through."""

    code = "transfer_limit"
    status = 422
    detail = "This is more than the account may move."


class InsufficientCash(CleraError):
    """The account does not hold so much free cash."""

    code = "insufficient_cash"
    status = 422
    detail = "There is not so much cash to withdraw."


@dataclass(frozen=True, kw_only=True)
class Facts:
    """
    What is known of an account's transfers in one direction when another one is asked for.

    `available` is the cash that may be withdrawn, or nothing when it is not known or not needed.
    """

    largest: Decimal
    daily_amount: Decimal
    daily_count: int
    used_amount: Decimal = ZERO
    used_count: int = 0
    available: Decimal | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a transfer is not let through: the rule, its limit, and how much of that is left."""

    error: ClassVar[type[CleraError]] = TransferLimitReached

    rule: str
    limit: str
    left: str

    def to_error(self) -> CleraError:
        """Put it into what the caller is answered."""
        return self.error(
            f"amount: {self.rule}",
            field_errors={"amount": [self.rule]},
            extra={"limit": self.limit, "left": self.left},
        )


class CashRefusal(Refusal):
    """Why a withdrawal is not let through: there is too little cash."""

    error = InsufficientCash


def judge(amount: Decimal, facts: Facts) -> Refusal | None:
    """Say whether the limits let an amount pass, and which of them does not."""
    return (
        _judge_size(amount, facts)
        or _judge_count(facts)
        or _judge_day(amount, facts)
        or _judge_cash(amount, facts)
    )


def left(facts: Facts) -> Decimal:
    """Say how much the limits would let pass at most."""
    if facts.used_count >= facts.daily_count:
        return ZERO
    most = min(facts.largest, facts.daily_amount - facts.used_amount)
    if facts.available is not None:
        most = min(most, facts.available)
    return max(ZERO, most)


def _judge_size(amount: Decimal, facts: Facts) -> Refusal | None:
    if amount <= facts.largest:
        return None
    limit = _text(facts.largest)
    return Refusal(f"At most {limit} dollars may be moved at once.", limit, limit)


def _judge_count(facts: Facts) -> Refusal | None:
    if facts.used_count < facts.daily_count:
        return None
    limit = str(facts.daily_count)
    rule = f"At most {limit} transfers in this direction are taken on one working day."
    return Refusal(rule, limit, "0")


def _judge_day(amount: Decimal, facts: Facts) -> Refusal | None:
    left = max(ZERO, facts.daily_amount - facts.used_amount)
    if amount <= left:
        return None
    limit, rest = _text(facts.daily_amount), _text(left)
    rule = f"At most {limit} dollars may be moved in this direction on one working day"
    return Refusal(f"{rule}; {rest} are left.", limit, rest)


def _judge_cash(amount: Decimal, facts: Facts) -> Refusal | None:
    if facts.available is None or amount <= facts.available:
        return None
    left = _text(max(ZERO, facts.available))
    return CashRefusal(f"Only {left} dollars are free to be withdrawn.", left, left)


def _text(amount: Decimal) -> str:
    return str(Money(amount))


def facts_for(
    *, account_id: UUID, direction: str, business_date: date | None, cash: Cash | None, at: datetime
) -> Facts:
    """
    Gather what `judge` has to know, in the caller's transaction and under the account's lock.

    :param business_date: the working day the new one belongs to; without it the date counts.
    :param cash: the ledger's word on the account's cash, for a withdrawal.
    """
    own = TransferLimit.objects.filter(pk=account_id).first()
    counted = Transfer.objects.filter(_MAY_HAVE_EFFECT, account_id=account_id, direction=direction)
    undated = Q(business_date__isnull=True, created_at__gte=dates.midnight(at))
    used = counted.filter(undated | Q(business_date=business_date or dates.today(at))).aggregate(
        amount=Sum("amount", default=ZERO), count=Count("pk")
    )
    knows_cash = cash is not None and cash.is_complete and direction == Direction.OUTGOING
    return Facts(
        largest=_own(own, "largest", settings.TRANSFER_LARGEST),
        daily_amount=_own(own, "daily_amount", settings.TRANSFER_DAILY_AMOUNT),
        daily_count=int(_own(own, "daily_count", settings.TRANSFER_DAILY_COUNT)),
        used_amount=used["amount"],
        used_count=used["count"],
        available=cash.available if cash is not None and knows_cash else None,
    )


def _own(limit: TransferLimit | None, name: str, for_everybody: Decimal | int) -> Decimal:
    """Take what staff has set for the account, where it has set something."""
    value = None if limit is None else getattr(limit, name)
    return Decimal(for_everybody if value is None else value)
