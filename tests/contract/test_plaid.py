"""What we rely on at Plaid: a link token, and a page to send the customer to."""

import pytest
from django.conf import settings

from core.errors import VendorRejected
from core.vendors.transport import Vendor, transport_for

VENDOR = "plaid"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vendor")]


def create(**changes):
    headers = (
        ("PLAID-CLIENT-ID", settings.PLAID_CLIENT_ID),
        ("PLAID-SECRET", settings.PLAID_SECRET),
    )
    body = {
        "client_name": "Clera",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "contract-test"},
        "products": ["auth"],
        "hosted_link": {},
    }
    plaid = transport_for(Vendor("plaid", settings.PLAID_URL, headers=headers))
    return plaid.write("POST", "/link/token/create", json=body | changes)


def test_a_link_token_comes_with_a_page():
    answer = create()

    assert answer["link_token"].startswith("link-")
    assert answer["hosted_link_url"].startswith("http")


def test_a_wrong_request_is_a_clear_no_with_its_reason():
    with pytest.raises(VendorRejected) as caught:
        create(client_name=None)

    assert caught.value.http_status == 400
    assert caught.value.detail
