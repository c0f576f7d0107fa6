"""
What it costs to know who asks: `python -m benchmarks.auth`.

First, whole requests go through Django's handler, with all middleware and DRF, to routes that do
nothing else: without a credential, with each of ours, and with a Django session. Then the checks
alone: ours next to bare PyJWT with the same keys and tokens, and to what Django does for a session.
Everything takes turns in one process; PostgreSQL and Redis are started and ended by the program.
"""

import argparse
import os
from dataclasses import dataclass
from typing import Any

from benchmarks.fanout import world as worlds
from benchmarks.turns import Ask, Contestant, compete
from clera.local.testing import start_servers

_SECRET = "a-shared-secret-of-more-than-32-bytes"
_WARM_UP = 50


@dataclass(frozen=True)
class Credentials:
    """One of each kind, all of them valid."""

    es256: str
    hs256: str
    api_key: str
    session: str
    public_key: Any
    audience: str
    issuer: str


def make_credentials(issuer: Any) -> Credentials:
    """Let the issuer sign, and the database know a key and a session."""
    import jwt
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from core.auth import api_keys

    settings.SUPABASE_URL = issuer.url
    settings.SUPABASE_ALLOW_HS256, settings.SUPABASE_JWT_SECRET = True, _SECRET
    browser = Client()
    browser.force_login(User.objects.create_user("somebody"))
    return Credentials(
        es256=issuer.token(),
        hs256=jwt.encode(issuer.claims(), _SECRET, algorithm="HS256"),
        api_key=api_keys.create(label="benchmark", scopes=["portfolio:read"]).text,
        session=browser.cookies["sessionid"].value,
        public_key=issuer.ec.public_key(),
        audience=settings.SUPABASE_AUDIENCE,
        issuer=f"{issuer.url}/auth/v1",
    )


def requests(known: Credentials) -> list[Contestant]:
    """Make the whole requests."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    handler: Any = WSGIHandler()
    factory = RequestFactory()

    def through(path: str, headers: dict[str, str] | None = None) -> Ask:
        def ask() -> None:
            told: list[str] = []
            environ = factory.get(path, headers=headers).environ
            response = handler(environ, lambda status, _headers: told.append(status))
            b"".join(response)
            response.close()
            if told != ["200 OK"]:
                raise RuntimeError(f"{path} answered {told}")

        return ask

    return [
        Contestant("no credential asked", through("/open")),
        Contestant("JWT ES256", through("/guarded", _bearer(known.es256))),
        Contestant("JWT HS256", through("/guarded", _bearer(known.hs256))),
        Contestant("API key", through("/guarded", {"X-API-Key": known.api_key})),
        Contestant("Django session", through("/session", {"Cookie": f"sessionid={known.session}"})),
    ]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def checks(known: Credentials) -> list[Contestant]:
    """Make the checks alone, ours and the peers'."""
    import jwt
    from django.utils import timezone

    from core.auth import api_keys, tokens

    def bare(token: str, key: Any, algorithm: str) -> Ask:
        return lambda: jwt.decode(
            token, key, algorithms=[algorithm], audience=known.audience, issuer=known.issuer
        )

    return [
        Contestant("JWT ES256", lambda: tokens.verify(known.es256)),
        Contestant("PyJWT ES256", bare(known.es256, known.public_key, "ES256")),
        Contestant("JWT HS256", lambda: tokens.verify(known.hs256)),
        Contestant("PyJWT HS256", bare(known.hs256, _SECRET, "HS256")),
        Contestant("API key", lambda: api_keys.authenticate(known.api_key, at=timezone.now())),
        Contestant("Django session", _session_check(known.session)),
    ]


def _session_check(key: str) -> Ask:
    """Find a session and its user, as Django's middleware does for every request."""
    from django.contrib.auth import get_user
    from django.contrib.sessions.backends.db import SessionStore
    from django.http import HttpRequest

    def check() -> None:
        request = HttpRequest()
        request.session = SessionStore(key)
        if not get_user(request).is_authenticated:
            raise RuntimeError("The session is not known.")

    return check


def show(title: str, contestants: list[Contestant], *, base: str = "") -> None:
    """Print a table; with a base, also what each costs on top of it."""
    found = {one.name: one for one in contestants}
    print(f"\n{title}\n")
    print(f"{'':22}{'p50 µs':>10}{'p95 µs':>10}", f"{'on top':>10}" if base else "")
    for one in contestants:
        more = one.micros(50) - found[base].micros(50) if base else 0.0
        print(f"{one.name:22}{one.micros(50):>10.0f}{one.micros(95):>10.0f}", end="")
        print(f" {more:>10.0f}" if base and one.name != base else "")


def show_ratios(contestants: list[Contestant]) -> None:
    """Print what our checks cost next to their peers'."""
    found = {one.name: one.micros(50) for one in contestants}
    print()
    for ours, theirs in (
        ("JWT ES256", "PyJWT ES256"), ("JWT HS256", "PyJWT HS256"), ("API key", "Django session"),
    ):  # fmt: skip
        print(f"{ours} / {theirs}: {found[ours] / found[theirs]:.2f} times the time")


def measure(*, tries: int, rounds: int) -> None:
    """Run everything and print it."""
    import django

    django.setup()
    from django.conf import settings

    from core.tests.issuer import serving

    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "benchmarks.doors", ["*"]
    # Counted as ever, and never full.
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, "1000000/second")
    with serving() as issuer:
        known = make_credentials(issuer)
        whole, alone = requests(known), checks(known)
        compete(whole, tries=tries, rounds=rounds, warm_up=_WARM_UP)
        compete(alone, tries=tries, rounds=rounds, warm_up=_WARM_UP)
    print(f"{tries} tries each in {rounds} turns, one process, {os.cpu_count()} cores")
    show("Whole requests", whole, base="no credential asked")
    show("The check alone", alone)
    show_ratios(alone)


def main() -> None:
    """Start what is needed, measure, and end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=2000, help="of each contestant")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    servers = start_servers()
    try:
        worlds.environment(servers)
        measure(tries=options.tries, rounds=options.rounds)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
