"""What stands in the way of a bank that somebody has signed in to, and which account is meant."""

from collections.abc import Iterable
from typing import Final

from funding.gateways import SeenAccount
from funding.models import AchRelationship, Chosen, LinkSession, PlaidItem
from funding.states import BankAccountType

_KINDS: Final = {"checking": BankAccountType.CHECKING, "savings": BankAccountType.SAVINGS}


def has_bank(session: LinkSession) -> bool:
    active = AchRelationship.objects.active().filter(account_id=session.account_id)
    return active.exclude(pk=session.pk).exists()


def find_twin(
    user_id: str,
    institution_id: str,
    accounts: Iterable[SeenAccount],
    *,
    apart_from: PlaidItem | None = None,
) -> PlaidItem | None:
    """
    Find another sign-in of the customer that leads to one of the same accounts.

    Of two that are under way, the one that came first stays. What has led to no bank, to one that
    is gone, or to one of which an operator must find out, stands in nobody's way.
    """
    wanted = {(account.mask, account.kind) for account in accounts if account.mask}
    others = PlaidItem.objects.in_use().filter(user_id=user_id, institution_id=institution_id)
    if apart_from is not None:
        others = others.exclude(pk=apart_from.pk)
    for other in others.order_by("pk"):
        theirs = {(each["mask"], each["kind"]) for each in other.bank_accounts}
        comes_first = apart_from is None or other.pk < apart_from.pk
        if not institution_id or not wanted & theirs:
            continue
        if bank_of(other) or (comes_first and other.sessions.going_on().exists()):
            return other
    return None


def bank_of(item: PlaidItem) -> AchRelationship | None:
    return AchRelationship.objects.active().filter(item=item).order_by("-id").first()


def choose(session: LinkSession, item: PlaidItem) -> Chosen | None:
    """Take the account that was named, else the first checking account, else savings."""
    usable = [
        account
        for account in map(SeenAccount.from_json, item.bank_accounts)
        if account.kind in _KINDS and session.plaid_account_id in {"", account.id}
    ]
    usable.sort(key=lambda account: list(_KINDS).index(account.kind))
    if not usable:
        return None
    return Chosen(
        plaid_account_id=usable[0].id, account_type=_KINDS[usable[0].kind], mask=usable[0].mask
    )
