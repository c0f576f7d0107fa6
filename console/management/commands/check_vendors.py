"""`manage.py check_vendors` asks each vendor whether the keys that are set let us in."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

TIMEOUT_SECONDS = 10


def _get(url: str, **parts: Any) -> int:
    return httpx.get(url, timeout=TIMEOUT_SECONDS, **parts).status_code


def _checks() -> Mapping[str, Callable[[], int]]:
    """Name each vendor with a harmless call that needs its keys."""
    alpaca = (settings.ALPACA_BROKER_KEY, settings.ALPACA_BROKER_SECRET)
    plaid = {"client_id": settings.PLAID_CLIENT_ID, "secret": settings.PLAID_SECRET}
    groq = {"authorization": f"Bearer {settings.GROQ_API_KEY}"}
    return {
        "Alpaca broker": lambda: _get(f"{settings.ALPACA_BROKER_URL}/v1/clock", auth=alpaca),
        "Alpaca data": lambda: _get(
            f"{settings.ALPACA_DATA_URL}/v2/stocks/snapshots",
            params={"symbols": "AAPL"},
            auth=alpaca,
        ),
        "Groq": lambda: _get(f"{settings.GROQ_URL}/openai/v1/models", headers=groq),
        "FMP": lambda: _get(
            f"{settings.FMP_URL}/stable/profile",
            params={"symbol": "AAPL"},
            headers={"apikey": settings.FMP_API_KEY},
        ),
        "Plaid": lambda: (
            httpx.post(
                f"{settings.PLAID_URL}/link/token/create",
                json={
                    **plaid,
                    "client_name": "Clera",
                    "language": "en",
                    "country_codes": ["US"],
                    "user": {"client_user_id": "check"},
                    "products": ["auth"],
                },
                timeout=TIMEOUT_SECONDS,
            ).status_code
        ),
        "Supabase": lambda: _get(f"{settings.SUPABASE_URL}/auth/v1/.well-known/jwks.json"),
    }


class Command(BaseCommand):
    """Prints one line a vendor; exits with 1 when one does not let us in."""

    help = "Ask every vendor one harmless question with the keys that are set."

    def handle(self, *_: Any, **__: Any) -> None:
        urls = {
            "Alpaca broker": settings.ALPACA_BROKER_URL,
            "Alpaca data": settings.ALPACA_DATA_URL,
            "Groq": settings.GROQ_URL,
            "FMP": settings.FMP_URL,
            "Plaid": settings.PLAID_URL,
            "Supabase": settings.SUPABASE_URL,
        }
        failed = []
        for name, ask in _checks().items():
            verdict = self._ask(ask)
            host = urlsplit(urls[name]).netloc
            self.stdout.write(f"{name:<14} {verdict:<28} {host}")
            if verdict != "ok":
                failed.append(name)
        if failed:
            raise CommandError(
                f"Check the URL and keys of: {', '.join(failed)} (see .env.example)."
            )

    def _ask(self, ask: Callable[[], int]) -> str:
        try:
            status = ask()
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        return "ok" if status == httpx.codes.OK else f"HTTP {status}"
