"""Plaid's hosted Link."""

from typing import Final

from django.conf import settings

from core.errors import VendorUnavailable
from core.vendors.transport import Transport, Vendor, transport_for
from funding.gateways import Link

_VENDOR: Final = "plaid"
_VERSION: Final = "2020-09-14"


class PlaidLinks:
    """See the port for what each method promises."""

    def create_link(self, *, customer: str, email: str, redirect_uri: str) -> Link:
        body = {
            "client_name": "Clera",
            "language": "en",
            "country_codes": ["US"],
            "products": ["auth"],
            "user": {
                "client_user_id": customer,
                **({"email_address": email} if email else {}),
            },
            "hosted_link": {"completion_redirect_uri": redirect_uri},
        }
        # A token that is never used expires by itself, so making a second one is harmless.
        answer = _plaid().read("/link/token/create", method="POST", json=body)
        token = answer.get("link_token") if isinstance(answer, dict) else None
        url = answer.get("hosted_link_url") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not isinstance(url, str):
            raise VendorUnavailable(_VENDOR, "Plaid gave no link.")
        return Link(token=token, url=url)


def _plaid() -> Transport:
    headers = (
        ("plaid-client-id", settings.PLAID_CLIENT_ID),
        ("plaid-secret", settings.PLAID_SECRET),
        ("plaid-version", _VERSION),
    )
    return transport_for(Vendor(_VENDOR, settings.PLAID_URL, headers=headers))
