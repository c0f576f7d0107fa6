"""Access tokens: one genuine shape is accepted, everything else looks alike from outside."""

import time
from datetime import UTC, datetime

import pytest

from core.auth import Kind, jwks, tokens
from core.auth.jwks import KeySet
from core.errors import ServiceBusy, Unauthenticated
from core.tests import forgeries
from core.tests.forgeries import FORGERIES, SHARED_SECRET, UNSENDABLE, hs256, mirrored
from core.tests.issuer import public_jwk

EVERY_FORGERY = FORGERIES | UNSENDABLE


@pytest.fixture
def issuer(issuer, settings):
    forgeries.publish_unusable(issuer)
    settings.SUPABASE_AUDIENCE = "authenticated"
    settings.SUPABASE_ALLOW_HS256 = False
    settings.SUPABASE_JWT_SECRET = ""
    return issuer


class TestVerify:
    def test_knows_the_customer_and_when_the_token_ends(self, issuer):
        principal = tokens.verify(issuer.token(aal="aal2", exp=(end := int(time.time()) + 60)))

        assert (principal.kind, principal.user_id, principal.aal) == (
            Kind.CUSTOMER, "customer-1", "aal2",
        )  # fmt: skip
        assert principal.expires_at == datetime.fromtimestamp(end, tz=UTC)

    def test_accepts_both_kinds_of_key(self, issuer):
        rs256 = issuer.token(key=issuer.rsa, algorithm="RS256", headers={"kid": "rsa-1"})
        assert tokens.verify(rs256) == tokens.verify(rs256)
        assert tokens.verify(rs256).user_id == tokens.verify(issuer.token()).user_id

    def test_allows_for_clocks_that_differ_by_seconds(self, issuer):
        now = int(time.time())
        assert tokens.verify(issuer.token(iat=now + 20)).user_id == "customer-1"
        assert tokens.verify(issuer.token(iat=now - 60, exp=now - 10)).user_id == "customer-1"

    @pytest.mark.parametrize("forge", EVERY_FORGERY.values(), ids=EVERY_FORGERY.keys())
    def test_refuses_with_the_same_words(self, issuer, forge):
        with pytest.raises(Unauthenticated) as refused:
            tokens.verify(forge(issuer))
        assert (refused.value.detail, refused.value.extra) == (Unauthenticated.detail, {})

    def test_refuses_them_all_where_a_shared_secret_is_switched_on_as_well(self, issuer, settings):
        settings.SUPABASE_ALLOW_HS256, settings.SUPABASE_JWT_SECRET = True, SHARED_SECRET
        for forge in EVERY_FORGERY.values():
            with pytest.raises(Unauthenticated):
                tokens.verify(forge(issuer))

    def test_knows_many_forgeries(self):
        assert len(EVERY_FORGERY) >= 150

    def test_takes_a_mirrored_signature_for_the_token_it_belongs_to(self, issuer):
        """It says the same about the same customer; nothing is remembered by a token's text."""
        token = issuer.token()
        assert mirrored(token) != token
        assert tokens.verify(mirrored(token)) == tokens.verify(token)

    @pytest.mark.parametrize("level", [None, "aal3", "AAL2", 2, ["aal2"], {"aal2": True}])
    def test_knows_no_level_but_the_two(self, issuer, level):
        assert tokens.verify(issuer.token(aal=level)).aal is None

    def test_accepts_a_shared_secret_only_where_it_is_switched_on(self, issuer, settings):
        token = hs256(issuer, SHARED_SECRET.encode(), kid="ignored")
        settings.SUPABASE_JWT_SECRET = SHARED_SECRET
        with pytest.raises(Unauthenticated):
            tokens.verify(token)
        settings.SUPABASE_ALLOW_HS256 = True
        assert tokens.verify(token).user_id == "customer-1"

    def test_does_not_trust_a_short_shared_secret(self, issuer, settings):
        settings.SUPABASE_ALLOW_HS256, settings.SUPABASE_JWT_SECRET = True, "short"
        with pytest.raises(Unauthenticated):
            tokens.verify(hs256(issuer, b"short"))

    def test_says_busy_instead_of_signing_out_when_keys_were_never_reachable(self, issuer):
        issuer.status = 500
        with pytest.raises(ServiceBusy) as busy:
            tokens.verify(issuer.token())
        assert busy.value.retry_after_seconds == 2


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(issuer, clock):
    return KeySet(f"{issuer.url}/auth/v1/.well-known/jwks.json", clock=clock)


class TestKeySet:
    def test_fetches_once_for_many_tokens(self, issuer, keys):
        for _ in range(50):
            assert keys.find("ec-1") is not None
        assert issuer.fetches == 1

    def test_fetches_at_most_once_per_cooldown_for_unknown_ids(self, issuer, keys, clock):
        keys.find("ec-1")
        for number in range(1000):
            clock.now += 0.0625  # one minute in all
            assert keys.find(f"random-{number}") is None
        assert issuer.fetches == 1 + 2

    def test_finds_a_rotated_key_after_the_cooldown(self, issuer, keys, clock):
        keys.find("ec-1")
        issuer.published.append(public_jwk(issuer.ec, kid="ec-2"))
        assert keys.find("ec-2") is None
        clock.now += jwks.COOLDOWN_SECONDS
        assert keys.find("ec-2").algorithm == "ES256"

    def test_forgets_a_withdrawn_key_within_ten_minutes(self, issuer, keys, clock):
        assert keys.find("ec-1") is not None
        issuer.published.pop(0)
        clock.now += jwks.REFRESH_SECONDS
        assert keys.find("ec-1") is None

    def test_keeps_known_keys_while_the_provider_is_away(self, issuer, keys, clock):
        keys.find("ec-1")
        issuer.status = 503
        clock.now += 3600
        assert keys.find("ec-1") is not None
        assert keys.find("ec-2") is None
        assert issuer.fetches == 2

    def test_tries_again_soon_when_it_has_no_key_at_all(self, issuer, keys, clock):
        issuer.status = 503
        for _ in range(5):
            with pytest.raises(ServiceBusy):
                keys.find("ec-1")
        assert issuer.fetches == 1
        issuer.status = 200
        clock.now += jwks.COLD_COOLDOWN_SECONDS
        assert keys.find("ec-1") is not None

    def test_is_refreshed_beside_the_work_before_it_is_too_old(
        self, issuer, keys, clock, monkeypatch
    ):
        monkeypatch.setattr(jwks, "_FETCH_SECONDS", 100.0)
        keys.find("ec-1")
        issuer.may_answer.clear()
        issuer.published.append(public_jwk(issuer.ec, kid="ec-2"))
        clock.now += jwks.REFRESH_SECONDS - 30
        assert all(keys.find("ec-1") for _ in range(20))  # who waits here waits in vain
        assert not keys.has("ec-2")
        issuer.may_answer.set()
        ends = time.monotonic() + 60
        while not keys.has("ec-2") and time.monotonic() < ends:
            time.sleep(0.01)
        assert keys.has("ec-2")
        assert issuer.fetches == 2

    def test_a_provider_that_hangs_is_asked_once_however_many_wait(self, issuer, keys, clock):
        def hang():
            clock.now += jwks.COLD_COOLDOWN_SECONDS + 0.1

        issuer.status, issuer.on_fetch = 503, hang
        for _ in range(10):
            with pytest.raises(ServiceBusy):
                keys.find("ec-1")
        assert issuer.fetches == 1

    def test_known_keys_wait_for_nobody_while_the_provider_is_away(
        self, issuer, keys, clock, monkeypatch
    ):
        monkeypatch.setattr(jwks, "_FETCH_SECONDS", 100.0)
        keys.find("ec-1")
        issuer.status = 503
        clock.now += jwks.REFRESH_SECONDS
        assert not keys.has("ec-1")
        keys.find("ec-1")
        clock.now += jwks.COOLDOWN_SECONDS
        issuer.may_answer.clear()
        assert keys.has("ec-1")
        assert keys.find("ec-1") is not None  # who waits here waits in vain

    @pytest.mark.parametrize(
        "answer",
        [b"", b"[]", b"{}", b'{"keys":1}', b'{"keys":[1]}', b'{"keys":[{"kid":"x"}]}', b"<html>",
         b" " * 70_000, b"[" * 1000],
    )  # fmt: skip
    def test_survives_an_answer_that_is_no_key_set(self, issuer, keys, answer):
        issuer.answer = answer or b" "
        with pytest.raises(ServiceBusy):
            keys.find("ec-1")

    def test_leaves_out_keys_that_must_not_verify(self, issuer, keys):
        issuer.published += [
            public_jwk(issuer.ec, kid="encryption", use="enc"),
            public_jwk(issuer.ec, kid="signing", key_ops=["sign"]),
            public_jwk(issuer.ec, kid="private", d="AA"),
            public_jwk(issuer.ec, kid="mislabelled", kty="RSA"),
        ]
        assert keys.find("ec-1") is not None
        left_out = ["weak", "p384", "encryption", "signing", "private", "mislabelled", "shared"]
        assert [keys.find(kid) for kid in left_out] == [None] * 7
