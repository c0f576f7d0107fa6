"""Who may see which accounts, when many ask in one batch."""

import asyncio

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BrokerageAccount
from accounts.services.admission import admit, ask
from accounts.tests.factories import make_account
from core import metrics
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Kind, Principal, acting_as, api_keys, jwks
from core.auth.sockets import Wish
from core.errors import Forbidden, NotFound, Unauthenticated
from core.ids import new_id

pytestmark = pytest.mark.django_db(transaction=True)
SCOPE = "portfolio:read"


@pytest.fixture
def ada():
    return make_account("ada")


@pytest.fixture
def bob():
    return make_account("bob")


def one(token, name, **more):
    return Wish(SCOPE, (str(name),), is_for_one=True, token=token, **more)


def several(token, *names, **more):
    return Wish(SCOPE, tuple(map(str, names)), token=token, **more)


def everything(token, **more):
    return Wish(SCOPE, None, token=token, **more)


def seen(answer):
    return [account.account_id for account in answer.accounts]


def key(*scopes):
    return api_keys.create(label="desk", scopes=scopes).text


def test_each_gets_what_is_theirs_and_nothing_of_the_others(issuer, ada, bob):
    adas, bobs = issuer.token(sub="ada"), issuer.token(sub="bob")

    answers = admit(
        [
            one(adas, ada.pk),
            one(bobs, bob.broker_account_id.upper()),
            one(adas, bob.pk),
            one(bobs, ada.broker_account_id),
            several(adas, ada.pk, bob.pk, new_id(), "x"),
            several(bobs, ada.pk),
            everything(bobs),
            one("forged", ada.pk),
            one(adas, new_id()),
            everything(adas),
            everything(issuer.token(sub="new")),
        ]
    )

    assert [seen(answers[n]) for n in (0, 1, 4, 5, 6)] == [
        [ada.pk],
        [bob.pk],
        [ada.pk],
        [],
        [bob.pk],
    ]
    assert [type(answers[n]) for n in (2, 3, 7, 8)] == [NotFound] * 2 + [Unauthenticated, NotFound]
    assert len(answers[4].unknown) == 3
    assert answers[5].unknown == (str(ada.pk),)
    assert answers[1].accounts[0].named == bob.broker_account_id.upper()
    assert {answers[n].owner for n in (0, 4)} == {"customer:ada for ada"}
    assert {account.user_id for account in answers[6].accounts} == {"bob"}
    assert (seen(answers[9]), seen(answers[10])) == ([ada.pk], [])


def test_a_key_sees_what_it_may_and_whose_it_may(issuer, ada, bob):
    desk, poor, narrow = key(SCOPE, "act_for"), key(SCOPE), key("accounts:read", "act_for")

    answers = admit(
        [
            one(desk, ada.pk),
            one(desk, ada.pk, act_for="bob"),
            several(desk, ada.pk, bob.broker_account_id, new_id()),
            everything(desk, act_for="ada"),
            everything(desk),
            one(poor, ada.pk),
            several(poor, ada.pk),
            one(narrow, ada.pk),
            one(desk, new_id()),
            one(issuer.token(sub="ada"), ada.pk, act_for="bob"),
        ]
    )

    assert seen(answers[0]) == [ada.pk]
    assert answers[0].principal.user_id == "ada"
    assert seen(answers[2]) == [ada.pk, bob.pk]
    assert answers[2].owner.endswith(" for several")
    assert seen(answers[3]) == [ada.pk]
    for index, kind in ((1, NotFound), (4, NotFound), (5, Forbidden), (6, Forbidden)):
        assert type(answers[index]) is kind
    assert type(answers[7]) is Forbidden
    assert type(answers[8]) is NotFound
    assert answers[9].code == "user_mismatch"
    with acting_as(SYSTEM):
        named = AuditEntry.objects.filter(action="auth.acted_for").order_by("id")
        via = [(entry.user_id, entry.details["via"]) for entry in named]
    assert sorted(via[:2]) == [("ada", "socket"), ("bob", "socket")]
    assert via[2:] == [("ada", "account"), ("ada", "account"), ("bob", "account")]


def test_who_was_let_in_before_is_asked_for_no_token(ada, bob):
    principal = Principal(kind=Kind.CUSTOMER, user_id="ada")

    (answer,) = admit([Wish(SCOPE, (str(bob.pk), str(ada.pk)), principal=principal)])

    assert (seen(answer), answer.unknown) == ([ada.pk], (str(bob.pk),))


def test_closed_accounts_are_named_by_those_who_know_them_only(issuer, ada):
    with acting_as(SYSTEM):
        BrokerageAccount.objects.update(vendor_status="ACCOUNT_CLOSED")
    token = issuer.token(sub="ada")

    whole, named = admit([everything(token), one(token, ada.pk)])

    assert (seen(whole), seen(named)) == ([], [ada.pk])


def test_a_crowd_costs_as_many_statements_as_one(issuer):
    accounts = [make_account(f"user-{n}") for n in range(5)]
    wishes = [one(issuer.token(sub=a.user_id), a.pk) for a in accounts]
    admit(wishes[:1])  # the issuer's keys are read

    counts = []
    for some in (wishes[:1], wishes):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert [seen(answer) for answer in admit(some)] == [
                [account.pk] for account in accounts[: len(some)]
            ]
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_nothing_is_asked_of_the_database_for_a_token_that_is_not_valid(issuer):
    tokens = [issuer.token(sub="ada", exp=1_700_000_000, iat=1_699_999_000), "forged"]
    admit([everything(issuer.token(sub="ada"))])

    with CaptureQueriesContext(connection) as queries:
        answers = admit([*map(everything, tokens), several(issuer.token(sub="ada"))])

    assert len(queries) == 0
    assert [type(answer) for answer in answers[:2]] == [Unauthenticated] * 2
    assert answers[2].owner == "customer:ada for ada"


def test_an_unreadable_key_fails_nobody_elses_wish(issuer, ada, monkeypatch):
    broken = api_keys.create(label="desk", scopes=[SCOPE, "act_for"]).text

    def away(*_, **__):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(api_keys, "authenticate", away)

    answers = admit([one(broken, ada.pk), one(issuer.token(sub="ada"), ada.pk)])

    assert [type(answers[0]), seen(answers[1])] == [OperationalError, [ada.pk]]


def test_many_names_are_looked_for_on_an_index(ada):
    names = [str(new_id()) for _ in range(500)]
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = BrokerageAccount.objects.named(*names, ada.pk).explain()

    assert "accounts_broker_account_once" in plan


class TestTurns:
    """Customers do not wait for what takes long."""

    async def answered(self, wish):
        return seen(await ask(wish, is_wanted=lambda: True))

    def test_while_the_issuer_is_asked_for_an_unknown_key(self, issuer, ada, bob, monkeypatch):
        admit([everything(issuer.token(sub="ada"))])
        monkeypatch.setattr(jwks, "COOLDOWN_SECONDS", 0.0)
        monkeypatch.setattr(jwks, "_FETCH_SECONDS", 100.0)
        issuer.may_answer.clear()
        strange = issuer.token(sub="ada", headers={"kid": "ec-2"})
        known = [one(issuer.token(sub=who.user_id), who.pk) for who in (ada, bob)]

        async def run():
            loop, is_asked = asyncio.get_running_loop(), asyncio.Event()
            issuer.on_fetch = lambda: loop.call_soon_threadsafe(is_asked.set)
            late = asyncio.ensure_future(self.answered(one(strange, ada.pk)))
            await asyncio.wait_for(is_asked.wait(), 60)
            prompt = await asyncio.gather(*map(self.answered, known))
            is_late = not late.done()
            issuer.may_answer.set()
            return prompt, is_late, (await asyncio.gather(late, return_exceptions=True))[0]

        prompt, is_late, late = asyncio.run(run())

        assert (prompt, is_late) == ([[ada.pk], [bob.pk]], True)
        assert isinstance(late, Unauthenticated)

    def test_are_counted_while_they_wait(self, issuer, ada):
        async def run():
            wish = one(issuer.token(sub="ada"), ada.pk)
            asking = [asyncio.ensure_future(ask(wish, is_wanted=lambda: True)) for _ in range(5)]
            await asyncio.sleep(0)
            waiting = metrics.SOCKETS_WAITING._value.get()
            await asyncio.gather(*asking)
            return waiting, metrics.SOCKETS_WAITING._value.get()

        before = metrics.SOCKETS_WAITING._value.get()
        assert asyncio.run(run()) == (before + 5, before)

    def test_of_a_key_that_sees_many_accounts(self, issuer, ada):
        admit([everything(issuer.token(sub="ada"))])
        desk = key(SCOPE, "act_for")

        async def run():
            wishes = [*[desk] * 30, issuer.token(sub="ada")]
            return await asyncio.gather(*(self.answered(one(who, ada.pk)) for who in wishes))

        assert asyncio.run(run()) == [[ada.pk]] * 31
