"""Pages on which customers sign in to their bank."""

from typing import Final
from uuid import UUID

from django.conf import settings

from accounts import selectors as accounts
from core.auth import SYSTEM, Principal, acting_as
from core.errors import Invalid, RuleBroken
from core.intents.sending import release_connection
from funding import selectors
from funding.gateways import PageRequest, get_bank_sign_in
from funding.models import AchRelationship, LinkSession
from funding.services import relationships, rules
from funding.states import ITEM_IN_USE

_NOT_ALLOWED: Final = "This redirect is not among the allowed ones."


class NotSignedIn(RuleBroken):
    """Only what was linked through Plaid can be signed in to again."""

    code = "not_linked_through_plaid"
    detail = "This bank has no sign-in at Plaid that could be renewed; link a bank anew."


class OpenedPage:
    """A page, and the session under which we keep what comes of it."""

    def __init__(self, session: LinkSession, *, token: str, url: str) -> None:
        self.session_id = session.pk
        self.expires_at = session.expires_at
        self.token = token
        self.url = url


def create_link(
    *,
    principal: Principal,
    account_id: str | UUID,
    redirect_uri: str,
    email: str = "",
    relationship_id: str | None = None,
) -> OpenedPage:
    """
    Make a page for the account's owner that leads back to one of our own addresses.

    With a relationship the page renews the sign-in behind it, instead of linking a bank.

    :raises Invalid: the redirect is not, letter by letter, on the list of allowed ones.
    :raises NotFound: there is no such account, or it has no such bank.
    :raises AccountNotActive: the account may not move money.
    :raises AccountFrozen: our staff has stopped it.
    :raises RelationshipExists: the account has a bank already.
    :raises NotSignedIn: the bank was not linked through Plaid, or its sign-in was given up.
    :raises VendorError: Plaid gave no page; asking again is harmless.
    """
    if redirect_uri not in settings.PLAID_REDIRECT_URIS:
        raise Invalid(f"redirectUri: {_NOT_ALLOWED}", field_errors={"redirectUri": [_NOT_ALLOWED]})
    account = accounts.get_account(principal=principal, account_id=account_id)
    rules.demand_active(account)
    bank = None
    if relationship_id:
        bank = selectors.get_relationship(
            principal=principal, account_id=account.pk, relationship_id=relationship_id
        )
    access_token = _access_to(bank) if bank else ""
    if bank is None:
        with acting_as(principal):
            relationships.demand_no_bank(account.pk)
    release_connection()
    # Plaid learns our id of the account and nothing that names a person but an e-mail it is sent.
    page = get_bank_sign_in().create_page(
        PageRequest(
            customer=str(account.pk),
            redirect_uri=redirect_uri,
            email=email,
            access_token=access_token,
        )
    )
    with acting_as(principal):
        session = LinkSession.begin(
            account, page_token=page.token, expires_at=page.expires_at, relationship=bank
        )
        session.refresh_from_db(fields=["expires_at"])
    return OpenedPage(session, token=page.token, url=page.url)


def _access_to(bank: AchRelationship) -> str:
    with acting_as(SYSTEM):
        item = bank.item
        if item is None or item.state not in ITEM_IN_USE:
            raise NotSignedIn
        return str(item.access_token())
