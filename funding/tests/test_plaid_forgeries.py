"""A webhook is believed when Plaid has signed these very bytes just now, and not else."""

import gzip
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from rest_framework.test import APIClient

from core.errors import ServiceBusy
from funding.gateways import WebhookKey, plaid_webhooks
from funding.gateways.plaid_webhooks import Forged
from funding.services import webhooks
from funding.tests.plaid_signing import (
    BODY,
    EXPIRED,
    KID,
    OTHER,
    PRIVATE,
    URL,
    claims,
    confused,
    encoded,
    jwk,
    kept,
    post,
    sign,
    verify,
    with_claims,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plaid(funds, links):
    """Plaid, with one key that is good and one that is not any more."""
    links.keys[KID] = WebhookKey(jwk(PRIVATE), None)
    links.keys[EXPIRED] = WebhookKey(jwk(OTHER, EXPIRED), datetime.now(UTC) - timedelta(days=1))
    plaid_webhooks.KEYS.forget()
    yield links
    plaid_webhooks.KEYS.forget()


FORGERIES = {
    "no header": lambda: {"signature": ""},
    "not a token": lambda: {"signature": "abc"},
    "too many parts": lambda: {"signature": sign() + ".x"},
    "two headers in one": lambda: {"signature": f"{sign()},{sign()}"},
    "too old": lambda: {"signature": sign(at=datetime.now(UTC) - timedelta(seconds=302))},
    "from the future": lambda: {"signature": sign(at=datetime.now(UTC) + timedelta(seconds=63))},
    "another body": lambda: {"signature": sign(b"{}")},
    "another key": lambda: {"signature": sign(private=OTHER)},
    "an unknown key": lambda: {"signature": sign(kid="11111111-0000-0000-0000-000000000000")},
    "a key of no shape": lambda: {"signature": sign(kid="../../etc/passwd")},
    "an expired key": lambda: {"signature": sign(kid=EXPIRED, private=OTHER)},
    "no algorithm": lambda: {"signature": jwt.encode(claims(), "", "none", {"kid": KID})},
    "the public key as a secret": lambda: {"signature": confused()},
    "re-serialised": lambda: {"body": json.dumps(json.loads(BODY)).encode(), "signature": sign()},
    "a critical header": lambda: {"signature": sign(header={"crit": ["b64"], "b64": False})},
    "a fractional moment": lambda: {"signature": with_claims(iat=datetime.now(UTC).timestamp())},
    "a true moment": lambda: {"signature": with_claims(iat=True)},
    "an endless moment": lambda: {"signature": with_claims(iat=10**30)},
    "no moment": lambda: {"signature": with_claims(iat=None)},
    "the hash in capitals": lambda: {
        "signature": sign(told=hashlib.sha256(BODY).hexdigest().upper())
    },
}


class TestAForgedOne:
    def test_all_are_answered_in_the_same_words_and_leave_nothing(self):
        answers = {}
        for name, forge in FORGERIES.items():
            answer = post(**forge())
            told = answer.json()
            told.pop("request_id")
            answers[name] = (answer.status_code, json.dumps(told, sort_keys=True))

        assert len(set(answers.values())) == 1, answers
        assert next(iter(answers.values()))[0] == 401
        assert kept() == []

    def test_without_a_header_is_answered_the_same(self):
        answer = APIClient().post(URL, data=BODY, content_type="application/json")

        assert answer.status_code == 401
        assert len(answer.content) < 400

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"HTTP_CONTENT_ENCODING": "gzip"}, 415),
            ({"HTTP_CONTENT_ENCODING": "br"}, 415),
            ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ],
    )
    def test_a_body_that_is_not_plain_is_refused_by_name(self, headers, status):
        body = gzip.compress(BODY)

        assert post(body, **headers).status_code == status
        assert kept() == []

    def test_a_body_that_is_too_large_is_refused_unread(self, links):
        assert post(b"{" + b" " * 70_000 + b"}").status_code == 413
        assert links.calls == kept() == []

    @pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
    def test_there_is_nothing_but_the_post(self, method):
        assert getattr(APIClient(), method)(URL).status_code == 405


def _flipped(chance, text):
    place = chance.randrange(len(text))
    return text[:place] + bytes([text[place] ^ (1 << chance.randrange(8))]) + text[place + 1 :]


def _cut(chance, text):
    return text[: chance.randrange(len(text))]


def _too_old_or_early(chance, now):
    age = chance.choice([-301 - chance.randrange(10_000), 62 + chance.randrange(10_000)])
    return sign(at=now + timedelta(seconds=age))


def _with_signature_of(chance, good, length):
    return f"{good.rpartition('.')[0]}.{encoded(chance.randbytes(length))}"


# What is wrong with one that is good otherwise: (chance, it, now) → (body, signatures).
MUTATIONS = (
    lambda chance, good, _: (_flipped(chance, BODY), [good]),
    lambda chance, good, _: (BODY, [_flipped(chance, good.encode()).decode("latin-1")]),
    lambda _, good, __: (json.dumps(json.loads(BODY), separators=(",", ":")).encode(), [good]),
    lambda chance, good, _: (BODY, [_cut(chance, good)]),
    lambda chance, good, _: (_cut(chance, BODY), [good]),
    lambda chance, _, now: (
        BODY,
        [sign(at=now, kid=chance.choice(["nobody", EXPIRED, "", "a" * 65, "é"]))],
    ),
    lambda _, __, now: (BODY, [sign(at=now, private=OTHER)]),
    lambda chance, _, now: (BODY, [_too_old_or_early(chance, now)]),
    lambda chance, good, _: (
        BODY,
        chance.choice([[], [good, good], [f"{good},{good}"], [f"{good} "], [""]]),
    ),
    lambda _, good, __: (gzip.compress(BODY), [good]),
    lambda chance, _, __: (
        BODY,
        [confused(chance.choice(["HS256", "ES256", "none", "RS256", "es256"]))],
    ),
    lambda chance, good, _: (
        BODY,
        [_with_signature_of(chance, good, chance.choice([0, 63, 64, 65]))],
    ),
    lambda _, good, __: (BODY, [_spelt_otherwise(good)]),
    lambda chance, good, _: (BODY + chance.choice([b" ", b"\n", b"\0"]), [good]),
)


def _spelt_otherwise(good):
    """The same signature in other letters: bits that decode to nothing, or needless padding."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(good[-1])
    return good[:-1] + letters[last ^ 1] if last % 2 == 0 else good + "=="


def accepted_of(count, *, seed):
    """Try that many forgeries, with good ones in between that show the checks at work."""
    chance, now, accepted = random.Random(seed), datetime.now(UTC), []
    for number in range(count):
        good = sign(at=now)
        if number % 100 == 0:
            verify(BODY, good, at=now)
        body, signatures = chance.choice(MUTATIONS)(chance, good, now)
        try:
            webhooks.receive(body=body, signatures=signatures, at=now)
        except (Forged, ServiceBusy):
            continue
        accepted.append((number, body, signatures))
    return accepted


class TestMutations:
    def test_none_of_fifteen_hundred_is_believed(self):
        assert accepted_of(1_500, seed=7) == []
        assert kept() == []
        assert webhooks.receive(body=BODY, signatures=[sign()], at=datetime.now(UTC)) is True

    @pytest.mark.proof
    def test_none_of_ten_thousand_is_believed(self):
        assert accepted_of(10_000, seed=11) == []
        assert kept() == []
