"""Pages on which customers sign in to their bank."""

from uuid import UUID

from django.conf import settings

from accounts import selectors as accounts
from core.auth import Principal
from core.errors import Invalid
from funding.gateways import Link, get_link_maker


def create_link(
    *, principal: Principal, account_id: str | UUID, redirect_uri: str, email: str = ""
) -> Link:
    """
    Make a page for the account's owner that leads back to one of our own addresses.

    :raises Invalid: the redirect is not, letter by letter, on the list of allowed ones.
    :raises NotFound: there is no such account.
    :raises VendorError: Plaid gave no link; asking again is harmless.
    """
    if redirect_uri not in settings.PLAID_REDIRECT_URIS:
        rule = "This redirect is not among the allowed ones."
        raise Invalid(f"redirectUri: {rule}", field_errors={"redirectUri": [rule]})
    account = accounts.get_account(principal=principal, account_id=account_id)
    # Plaid learns our id of the account and nothing that names a person.
    return get_link_maker().create_link(
        customer=str(account.pk), email=email, redirect_uri=redirect_uri
    )
