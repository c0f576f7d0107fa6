"""Financial Modeling Prep: company profiles."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from core.errors import VendorUnavailable
from core.vendors.transport import Transport, Vendor, transport_for


class FmpCompanies:
    """See the port for what each method promises."""

    def profile(self, ticker: str) -> Mapping[str, Any] | None:
        answer = _transport().read("/stable/profile", params={"symbol": ticker})
        if not isinstance(answer, list):
            raise VendorUnavailable("fmp", "The vendor's answer about a company is not readable.")
        entry = answer[0] if answer else None
        return entry if isinstance(entry, dict) else None


def _transport() -> Transport:
    # The key goes into a header: addresses end up in logs.
    headers = (("apikey", settings.FMP_API_KEY),)
    return transport_for(Vendor("fmp", settings.FMP_URL, headers=headers))
