"""How often a credential may ask: every view is limited, each by the class of what it does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import rate_limits
from core.api.addresses import client_address, network_of
from core.api.permissions import SAFE_METHODS
from core.auth.principals import Kind, Principal

if TYPE_CHECKING:  # its module imports this one, as the default throttle
    from rest_framework.views import APIView


class PerPrincipal(BaseThrottle):
    """
    Counts by credential and by rate: `rate = "money"` in a view, else `read` or `write`.

    A key shares one window among all the customers it acts for. Who sends no credential to a view
    that asks for none is counted by address.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """
        Let the request pass, or refuse it in our own words.

        :raises Throttled: the window is full.
        :raises ServiceBusy: it cannot be counted and may not go uncounted.
        """
        rate = rate_of(request.method or "", view)
        principal = request.user
        if not isinstance(principal, Principal):
            whose = f"address:{network_of(client_address(request.META))}"
        else:
            whose = principal.name
            if principal.kind is Kind.SERVICE:
                rate = rate_limits.OF_SERVICES + rate
        rate_limits.spend(rate, whose=whose)
        return True


def rate_of(method: str, view: "APIView") -> str:
    """Name the rate a view asks for, perhaps by method, or the one for reading or writing."""
    declared: str | Mapping[str, str] | None = getattr(view, "rate", None)
    if isinstance(declared, Mapping):
        declared = declared.get(method)
    return declared or ("read" if method in SAFE_METHODS else "write")
