"""How often somebody may ask, by what they ask for; the environment may replace single rates."""

import re
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

_RATE = re.compile(r"[1-9][0-9]{0,6}/(second|minute|hour|day)")

DEFAULTS = {
    # One credential. A key of a service asks for many customers at once.
    "read": "600/minute",
    "write": "120/minute",
    "money": "30/minute",
    "documents": "30/minute",
    "sign_up": "10/hour",
    # One address of Plaid's, which tells of many customers and tries again when it is refused.
    "webhooks": "12000/minute",
    "service.read": "6000/minute",
    "service.write": "1200/minute",
    "service.money": "300/minute",
    "service.documents": "300/minute",
    "service.sign_up": "300/hour",
    # One network, whoever asks: an IPv4 address, or the /64 of an IPv6 one.
    "address": "6000/minute",
    "refusals": "30/minute",
    "sockets": "120/minute",
    "sign_in": "30/minute",  # passwords of the staff that one network may try
}

# Probes and monitoring must be answered whoever else is busy; the staff's sign-in and webhooks
# have limits of their own.
EXEMPT_PATHS = (
    "/health",
    "/api/health",
    "/api/ready",
    "/metrics",
    "/admin/",
    "/webhook/plaid",
)


def with_changes(changes: Mapping[str, str]) -> dict[str, str]:
    """
    Return every rate, with the given ones instead of the defaults.

    :raises ImproperlyConfigured: a name is unknown, or a rate is not like `30/minute`.
    """
    unknown = sorted(changes.keys() - DEFAULTS.keys())
    if unknown:
        raise ImproperlyConfigured(f"RATE_LIMITS names unknown rates: {', '.join(unknown)}.")
    for name, rate in changes.items():
        if not _RATE.fullmatch(rate):
            raise ImproperlyConfigured(f"RATE_LIMITS: {name}={rate} is not like 30/minute.")
    return {**DEFAULTS, **changes}
