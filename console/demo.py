"""The demo customer of a local run: who it is, and a token in its name from the sandbox."""

from dataclasses import dataclass

import httpx
from django.conf import settings

from core.errors import NotFound, ServiceBusy

CUSTOMER = "00000000-0000-4000-8000-00000000c1e4"
EMAIL = "demo@example.com"
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Token:
    """A customer's bearer token and how long it opens anything."""

    access_token: str
    expires_in: int


def mint_token(*, user_id: str = CUSTOMER, email: str = EMAIL) -> Token:
    """
    Have the sandbox's identity provider sign a token.

    :raises NotFound: this is not a local run, where tokens come from signing in.
    :raises ServiceBusy: the sandbox does not answer.
    """
    if not settings.LOCAL_TOKENS:
        raise NotFound
    body = {"sub": user_id, "email": email, "expires_in": TOKEN_SECONDS}
    url = f"{settings.SANDBOX_URL}/supabase/auth/v1/token-mint"
    try:
        answer = httpx.post(url, json=body, timeout=5, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceBusy("The sandbox does not answer; is `make run` running?") from error
    return Token(answer.json()["access_token"], TOKEN_SECONDS)
