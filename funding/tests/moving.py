"""Moving money in tests: asking for it, what the broker tells of it, and what came of it."""

import itertools
from datetime import timedelta
from decimal import Decimal

from django.apps import apps

from accounts import services as account_services
from accounts.tests.factories import application, customer, now
from core import inbox
from core.auth import SYSTEM, acting_as
from funding.gateways import FundingNews
from funding.models import Transfer, TransferReturn
from funding.services import bank_upkeep, news, relationships, transfer_upkeep, transfers
from funding.tests.factories import BANK
from ledger.tests.factories import entries_of

NOT_AUTHORIZED = "R10: customer advises not authorized"
_numbers = itertools.count(1)


def move(bank, amount="100.00", direction="INCOMING", *, at=None):
    return transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal(amount),
        direction=direction,
        request=None,
        at=at or now(),
    )


def bank_at_broker(sandbox):
    """An approved bank of an active account, made with the sandbox in the ordinary way."""
    ada = customer()
    account = account_services.open_account(
        principal=ada, application=application(), request=None, at=now()
    )
    sandbox.advance(5)
    account_services.refresh_account(principal=ada, account_id=account.pk)
    bank = relationships.link_bank(
        principal=ada, account_id=account.pk, bank=BANK, request=None, at=now()
    )
    sandbox.advance(10)
    bank_upkeep.refresh_relationships(at=now())
    with acting_as(SYSTEM):
        return type(bank).objects.select_related("account").get(pk=bank.pk)


def tell(transfer, status, *, after=1):
    """Let the broker tell of a status that came up so many seconds from now."""
    payload = {
        "kind": FundingNews.TRANSFER,
        "id": transfer.broker_transfer_id,
        "status": status,
        "at": (now() + timedelta(seconds=after)).isoformat(),
    }
    name = f"news-{next(_numbers):06}"
    inbox.receive(news.SOURCE, name, payload, cursor=name)
    return news.apply_events()


def sent_back(funds, transfer, reason=NOT_AUTHORIZED, *, after=2):
    """Let the bank send it back: the event names no reason, the broker's list does."""
    funds.settle(transfer.broker_transfer_id, "RETURNED", reason)
    tell(transfer, "RETURNED", after=after)


def refresh():
    return transfer_upkeep.refresh_transfers(at=now())


def row(of):
    with acting_as(SYSTEM):
        return type(of).objects.get(pk=of.pk)


def account_of(bank):
    with acting_as(SYSTEM):
        return apps.get_model("accounts.BrokerageAccount").objects.get(pk=bank.account_id)


def case_of(transfer):
    with acting_as(SYSTEM):
        return TransferReturn.objects.filter(transfer_id=transfer.pk).first()


def told(bank, kind):
    """List what the owner of the account was told, in its order."""
    with acting_as(SYSTEM):
        events = apps.get_model("accounts.AccountEvent").objects
        found = events.filter(account_id=bank.account_id, kind=kind)
        return list(found.order_by("seq").values_list("payload", flat=True))


def statuses(bank):
    return [payload["status"] for payload in told(bank, "transfer.status")]


def count_of(bank):
    with acting_as(SYSTEM):
        return Transfer.objects.filter(account_id=bank.account_id).count()


def kinds(bank):
    """List what has moved the account's cash, and by how much."""
    return [(entry.kind, entry.cash_effect) for entry in entries_of(bank.account)]
