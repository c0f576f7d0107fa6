"""What the routes of signing in to a bank take, refuse and answer."""

import pytest

from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from funding.models import AchRelationship
from funding.tests.signing_in import AWAY, REDIRECT, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _vendors(funds):
    return funds


@pytest.fixture
def account():
    return make_account()


HOSTILE = [
    f"{REDIRECT}{end}"
    for end in ("/", "?", "#", "?a=b", "#a", "/..", "/../callback", "%00", " ", "\t", ".", ";")
] + [
    f"{scheme}://app.example.com/callback"
    for scheme in ("http", "HTTPS", "ftp", "javascript", "data", "file", "clera", "https:", "")
] + [
    f"https://{host}/callback"
    for host in (
        "app.example.com.evil.example", "evil.example", "app.example.com:443", "APP.example.com",
        "app.example.com.", "user@app.example.com", "app.example.com@evil.example", "127.0.0.1",
        "app.example.com%2eevil.example", "xn--app-example-com", "\u0430pp.example.com", "[::1]",
        "app.example.com\\@evil.example", "app.example.com%00.evil.example", "localhost",
        "app.example.com#@evil.example", "app.example.com?@evil.example", "evil.example\\.com",
    )
] + [
    f"https://app.example.com/{path}"
    for path in (
        "", "Callback", "callback2", "call%62ack", "%63allback", "a/callback", "callback/a",
        "callback%2f", "//callback", "./callback", "callback%0d%0aX: y", "callback\u200b",
        "callback\u00a0", "callb\u00e0ck", "callback&x", "callback:80",
    )
] + [
    "//app.example.com/callback", "javascript:alert(1)", "data:text/html,x", "/callback",
    "callback", "https:app.example.com/callback", f" {REDIRECT}", f"{REDIRECT},{REDIRECT}",
]  # fmt: skip


class TestOverHttp:
    @pytest.fixture
    def ask(self, api, account):
        def ask(path, by=None, **body):
            client = api(by or customer(account.user_id))
            return client.post(path, {"accountId": str(account.pk), **body}, format="json")

        return ask

    def test_sixty_hostile_redirects_lead_nowhere(self, ask, links):
        answers = {
            uri: ask("/create-ach-relationship-link", redirectUri=uri).status_code
            for uri in HOSTILE
        }

        assert len(answers) >= 60
        assert {uri: status for uri, status in answers.items() if status != 400} == {}
        assert links.calls == []

    def test_what_a_frozen_account_is_told(self, ask, links, account):
        with acting_as(SYSTEM):
            type(account).objects.filter(pk=account.pk).update(frozen_at=now())

        for path, body in (
            ("/create-ach-relationship-link", {"redirectUri": REDIRECT}),
            ("/process-plaid-token", {"publicToken": links.sign_in()}),
        ):
            answer = ask(path, **body)
            assert (answer.status_code, answer.json()["code"]) == (422, "account_frozen")
        assert links.calls == []

    def test_both_spellings_of_the_token_are_the_same(self, ask, links):
        token = links.sign_in()

        first = ask("/process-plaid-token", publicToken=token)
        again = ask("/process-plaid-token", public_token=token)

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert links.calls.count("exchange") == 1

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"publicToken": ""},
            {"publicToken": 7},
            {"publicToken": "a" * 501},
            {"publicToken": "a", "public_token": "a"},
            {"publicToken": "a", "sessionId": "019b76da-a800-7c3f-9e1f-5b2d8a6c4e10"},
            {"sessionId": "x"},
            {"publicToken": "a", "plaidAccountId": "a" * 65},
        ],
    )
    def test_a_body_that_says_too_little_or_too_much_is_refused(self, ask, links, body):
        assert ask("/process-plaid-token", **body).status_code == 400
        assert links.calls == []

    def test_somebody_else_is_told_that_there_is_no_such_account(self, ask, links):
        answer = ask("/process-plaid-token", by=customer(), publicToken=links.sign_in())

        assert answer.status_code == 404
        assert links.calls == []

    def test_until_it_is_certain_the_answer_is_202_under_the_id_it_will_keep(self, ask, links):
        links.fails_before["list_accounts"] = AWAY
        token = links.sign_in()

        first = ask("/process-plaid-token", publicToken=token)
        sweep(2)

        assert (first.status_code, first.json()["status"]) == (202, "PENDING")
        with acting_as(SYSTEM):
            assert AchRelationship.objects.get(pk=first.json()["id"]).is_usable
        assert ask("/process-plaid-token", publicToken=token).status_code == 201

    def test_a_duplicate_names_the_bank_that_is_there(self, ask, links, account):
        first = ask("/process-plaid-token", publicToken=links.sign_in()).json()

        answer = ask("/process-plaid-token", publicToken=links.sign_in())

        assert (answer.status_code, answer.json()["code"]) == (409, "relationship_exists")
        assert first["status"] == "APPROVED"
