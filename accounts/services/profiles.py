"""Who a customer is: reading it at the broker, and keeping our sealed copy true to it."""

from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from accounts import selectors
from accounts.gateways import OpenedAccount, get_brokerage
from accounts.models import BrokerageAccount, Person
from core.auth import Principal

logger = structlog.get_logger()


def read_person(*, principal: Principal, account_id: str | UUID) -> OpenedAccount:
    """
    Read at the broker what it knows of a customer.

    :raises NotFound: there is no such account of the principal, or not at the broker yet.
    :raises VendorError: the broker could not be read.
    """
    account = selectors.get_account(principal=principal, account_id=account_id)
    return get_brokerage().get_account(selectors.broker_id_of(account))


def keep(account: BrokerageAccount, shown: OpenedAccount) -> None:
    """Take the broker's picture of the person over; the caller holds the account's lock."""
    if not shown.sections.get("contact", {}).get("email_address"):
        return
    known = account.person()
    person = Person(
        contact={**known.contact, **shown.sections["contact"]},
        identity={**known.identity, **shown.sections.get("identity", {})},
        trusted_contact=shown.sections.get("trusted_contact") or known.trusted_contact,
    )
    if person.to_bytes() == known.to_bytes():
        return
    try:
        with transaction.atomic():
            account.update_person(person)
    except IntegrityError:
        # An application with the same address waits here; the broker is going to refuse that one.
        logger.error("account.email_taken", id=str(account.pk))  # noqa: TRY400 - no trace needed
