"""What we rely on at FMP: a profile with a name, and nothing for what does not exist."""

import pytest
from django.conf import settings

from core.vendors.transport import Vendor, transport_for

VENDOR = "fmp"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vendor")]


def fmp():
    return transport_for(
        Vendor("fmp", settings.FMP_URL, headers=(("apikey", settings.FMP_API_KEY),))
    )


def test_a_profile_names_the_company():
    profile = fmp().read("/stable/profile", params={"symbol": "AAPL"})[0]

    assert profile["symbol"] == "AAPL"
    assert profile["companyName"]


def test_an_unknown_symbol_is_an_empty_list():
    assert fmp().read("/stable/profile", params={"symbol": "NOSUCHTHING"}) == []
