"""What production and staging refuse to start with."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

VENDOR_URLS = (
    "ALPACA_BROKER_URL",
    "ALPACA_DATA_URL",
    "ALPACA_STREAM_URL",
    "PLAID_URL",
    "FMP_URL",
    "GROQ_URL",
    "SUPABASE_URL",
)
SECRETS = ("SECRET_KEY", "ALPACA_BROKER_SECRET", "GROQ_API_KEY", "BLIND_INDEX_KEY")
LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}  # noqa: S104 - compared, never bound
DEFAULTS = {"sandbox-secret", "gsk_sandbox", ""}


def problems_of(settings: Mapping[str, Any]) -> list[str]:
    """List, in words an operator can act on, what makes these settings unsafe."""
    found = [f"{name} is unset or a default" for name in SECRETS if settings[name] in DEFAULTS]
    staging = settings["ENVIRONMENT"] == "staging"
    for name in VENDOR_URLS:
        url = urlsplit(settings[name])
        if url.scheme not in {"https", "wss"} or url.hostname in LOOPBACK:
            found.append(f"{name} must be https or wss and not this machine")
        elif "sandbox" in (url.hostname or "") and not staging:
            found.append(f"{name} is a vendor's sandbox; that needs CLERA_ENVIRONMENT=staging")
    if not settings["FIELD_KEYS"]:
        found.append("FIELD_KEYS is unset")
    if not settings["ALLOWED_HOSTS"] or "*" in settings["ALLOWED_HOSTS"]:
        found.append("ALLOWED_HOSTS must name the hosts")
    if "*" in settings["ALLOWED_ORIGINS"]:
        found.append("ALLOWED_ORIGINS must name the origins")
    if settings["INTENT_LEASE_SECONDS"] <= 2 * settings["VENDOR_TOTAL_SECONDS"]:
        found.append("INTENT_LEASE_SECONDS must be more than twice VENDOR_TOTAL_SECONDS")
    if settings["PLAID_ENV"] == "development":
        found.append("PLAID_ENV=development is gone at Plaid; use sandbox or production")
    return found


def refuse_unsafe(settings: Mapping[str, Any]) -> None:
    """
    Stop the start-up when a setting is unsafe.

    :raises ImproperlyConfigured: naming every setting that has to change.
    """
    found = problems_of(settings)
    if found:
        raise ImproperlyConfigured("Refusing to start: " + "; ".join(found) + ".")
