"""What production and staging refuse to start with."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

VENDOR_URLS = (
    "ALPACA_BROKER_URL",
    "ALPACA_DATA_URL",
    "ALPACA_STREAM_URL",
    "ALPACA_CRYPTO_STREAM_URL",
    "PLAID_URL",
    "FMP_URL",
    "GROQ_URL",
    "SUPABASE_URL",
)
# Empty, these switch something off.
OPTIONAL_URLS = frozenset({"ALPACA_CRYPTO_STREAM_URL"})
SECRETS = ("SECRET_KEY", "ALPACA_BROKER_SECRET", "GROQ_API_KEY", "BLIND_INDEX_KEY")
LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}  # noqa: S104 - compared, never bound
SHORTEST_TOKEN = 32
DEFAULTS = {"sandbox-secret", "sandbox-service-role", "gsk_sandbox", ""}


def problems_of(settings: Mapping[str, Any]) -> list[str]:
    """List, in words an operator can act on, what makes these settings unsafe."""
    return [*_secrets(settings), *_urls(settings), *_others(settings)]


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in SECRETS:
        if settings[name] in DEFAULTS:
            yield f"{name} is unset or a default"


def _urls(settings: Mapping[str, Any]) -> Iterator[str]:
    is_staging = settings["ENVIRONMENT"] == "staging"
    for name in VENDOR_URLS:
        if name in OPTIONAL_URLS and not settings[name]:
            continue
        url = urlsplit(settings[name])
        if url.scheme not in {"https", "wss"} or url.hostname in LOOPBACK:
            yield f"{name} must be https or wss and not this machine"
        elif "sandbox" in (url.hostname or "") and not is_staging:
            yield f"{name} is a vendor's sandbox; that needs CLERA_ENVIRONMENT=staging"


def _others(settings: Mapping[str, Any]) -> Iterator[str]:
    lease, call = settings["INTENT_LEASE_SECONDS"], settings["VENDOR_TOTAL_SECONDS"]
    hosts = settings["ALLOWED_HOSTS"]
    broken = {
        "FIELD_KEYS is unset": not settings["FIELD_KEYS"],
        "ALLOWED_HOSTS must name the hosts": not hosts or "*" in hosts,
        "TRUSTED_PROXIES must say how many proxies of ours stand in front, 0 for none": (
            settings["TRUSTED_PROXIES"] is None or settings["TRUSTED_PROXIES"] < 0
        ),
        "STAFF_SECOND_FACTOR must be on: the admin opens with a password alone": (
            not settings["STAFF_SECOND_FACTOR"]
        ),
        "SUPABASE_SERVICE_KEY is unset or a default, and SUPABASE_WRITE_BACK needs it": (
            settings["SUPABASE_WRITE_BACK"] and settings["SUPABASE_SERVICE_KEY"] in DEFAULTS
        ),
        "ALLOWED_ORIGINS must name the origins": "*" in settings["ALLOWED_ORIGINS"],
        "PLAID_ENV=development is gone at Plaid; use sandbox or production": (
            settings["PLAID_ENV"] == "development"
        ),
        "PLAID_REDIRECT_URIS must name where customers come back to": (
            not settings["PLAID_REDIRECT_URIS"]
        ),
        "PLAID_WEBHOOK_URL must be https and not this machine": _is_unsafe(
            settings["PLAID_WEBHOOK_URL"]
        ),
        "METRICS_TOKEN is short: guesses at it are not counted, so take 32 characters or more": (
            0 < len(settings["METRICS_TOKEN"]) < SHORTEST_TOKEN
        ),
        # A sender must know its call's end before anyone may take the intent for abandoned.
        "INTENT_LEASE_SECONDS must be more than twice VENDOR_TOTAL_SECONDS": lease <= 2 * call,
    }
    yield from (message for message, is_broken in broken.items() if is_broken)


def _is_unsafe(webhook_url: str) -> bool:
    """Tell whether a webhook could be read or made up on its way; none at all is safe."""
    url = urlsplit(webhook_url)
    return bool(webhook_url) and (url.scheme != "https" or url.hostname in LOOPBACK)


def refuse_unsafe(settings: Mapping[str, Any]) -> None:
    """
    Stop the start-up when a setting is unsafe.

    :raises ImproperlyConfigured: naming every setting that has to change.
    """
    found = problems_of(settings)
    if found:
        raise ImproperlyConfigured("Refusing to start: " + "; ".join(found) + ".")
