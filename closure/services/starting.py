"""Beginning to close an account."""

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from accounts import selectors as accounts
from accounts import services as account_services
from closure import selectors
from closure.models import Closure
from closure.services import notices, steering
from core import idempotency
from core.auth import Principal, acting_as
from core.errors import CleraError, Invalid
from core.ids import new_id
from funding import selectors as funding

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount
    from funding.models import AchRelationship

CONFIRMATIONS: Final = {
    "confirm_liquidation": "Confirm that everything that is held is sold.",
    "confirm_irreversible": "Confirm that closing an account cannot be taken back.",
}


class NotReady(CleraError):
    """Something must be settled first."""

    code = "not_ready_to_close"
    status = 422
    detail = "The account cannot be closed yet."


def initiate(
    *,
    principal: Principal,
    account_id: str | UUID,
    relationship_id: str | UUID,
    confirm_liquidation: bool,
    confirm_irreversible: bool,
    request: idempotency.Request | None,
    at: datetime,
) -> Closure:
    """
    Write down that an account is to be closed, and let nothing new begin in it.

    :raises Invalid: one of the two confirmations is missing.
    :raises NotFound: there is no such account, or it has no such bank.
    :raises AccountClosing: it is being closed already.
    :raises NotReady: something must be settled first.
    """
    _demand_confirmed(
        confirm_liquidation=confirm_liquidation, confirm_irreversible=confirm_irreversible
    )
    seen = accounts.get_account(principal=principal, account_id=account_id)
    wanted = new_id()
    with acting_as(principal):
        account = account_services.lock_account(account_id=seen.pk)
        bank = funding.get_relationship(
            principal=principal, account_id=account.pk, relationship_id=relationship_id
        )
        if request is not None:
            request.concerns(account.pk, bank.pk)
        closure_id = idempotency.claim(request, resource_id=wanted)
        if closure_id != wanted:
            return Closure.objects.locked(closure_id)
        _demand_ready(principal, account, bank)
        account_services.begin_closing(principal=principal, account_id=account.pk, at=at)
        closure = Closure.begin(
            account, bank, pk=wanted, confirmed=sorted(CONFIRMATIONS), by=principal.name, at=at
        )
        notices.tell(closure)
        steering.request_advance(closure.pk)
    return closure


def _demand_confirmed(**given: bool) -> None:
    missing = {name: [CONFIRMATIONS[name]] for name, value in given.items() if value is not True}
    if missing:
        words = " ".join(rules[0] for rules in missing.values())
        raise Invalid(words, field_errors=missing)


def _demand_ready(
    principal: Principal, account: "BrokerageAccount", bank: "AchRelationship"
) -> None:
    if account.is_closing:
        raise account_services.AccountClosing
    banks = [bank] if selectors.is_good(bank, principal=principal) else []
    blockers = selectors.blockers_of(principal=principal, account=account, banks=banks)
    if blockers:
        raise NotReady(
            " ".join(each.detail for each in blockers),
            extra={"blockers": [{"code": each.code, "detail": each.detail} for each in blockers]},
        )
