"""Linked banks for tests."""

from decimal import Decimal

from accounts.tests.factories import make_account
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.ids import new_id
from core.intents.states import IntentState
from funding.gateways import BankAccount
from funding.models import AchRelationship, Bank, Transfer

BANK = BankAccount(
    owner_name="Ada Stone",
    account_type="CHECKING",
    number="123456789",
    routing_number="121000358",
    nickname="My Checking Account",
)


def make_bank(account=None, *, status: str = "APPROVED") -> AchRelationship:
    """A bank that the broker has linked, without asking any broker."""
    account = account or make_account()
    bank = Bank(
        user_id=account.user_id,
        account_id=account.pk,
        account_type=BANK.account_type,
        nickname=BANK.nickname,
        number=BANK.number,
        routing_number=BANK.routing_number,
    )
    with acting_as(SYSTEM):
        now = database_now()
        relationship = AchRelationship.link(bank, pk=new_id(), secret=b"sent", at=now)
        relationship.advance(IntentState.SENDING, at=now, sent_at=now)
        relationship.advance(
            IntentState.ACCEPTED,
            at=now,
            vendor_status=status,
            broker_relationship_id=str(new_id()),
            sealed_payload=None,
            sealed_until=None,
        )
        return AchRelationship.objects.select_related("account").get(pk=relationship.pk)


def make_transfer(
    bank: AchRelationship, *, amount="100.00", direction="INCOMING", status="COMPLETE"
) -> Transfer:
    """A transfer that the broker has taken, without asking any broker."""
    with acting_as(SYSTEM):
        now = database_now()
        transfer = Transfer.ask(
            pk=new_id(), relationship=bank, direction=direction, amount=Decimal(amount)
        )
        transfer.advance(IntentState.SENDING, at=now, sent_at=now)
        transfer.advance(
            IntentState.ACCEPTED,
            at=now,
            vendor_status=status,
            broker_transfer_id=str(new_id()),
        )
        return transfer
