"""The hosted page, as a person and then the vendor's client see it."""

import httpx
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.sandbox_item_reset_login_request import SandboxItemResetLoginRequest

from sandbox.tests.browser import Browser, link_bank
from sandbox.tests.conftest import Server, running
from sandbox.tests.plaid_clients import (
    connect,
    exchange,
    hosted,
    link_request,
    linked_by_page,
    refusal,
    sessions,
)
from sandbox.world import Settings, World

APP = "https://app.example.com/callback"


@pytest.fixture
def api(still_server: Server) -> PlaidApi:
    return connect(still_server)


def accounts(api: PlaidApi, access_token: str) -> list[dict]:
    answer = api.accounts_get(AccountsGetRequest(access_token=access_token))
    found: list[dict] = answer.to_dict()["accounts"]
    return found


class TestLinking:
    def test_step_by_step_to_a_linked_account(self, api):
        created = hosted(api, redirect=APP, redirect_uri=APP)
        assert sessions(api, created) == []

        browser = Browser(created["hosted_link_url"])
        titles = [browser.title]
        way = ("continue", "bank-ins_109508", "sign-in", "account-savings")
        titles += [browser.click(element).title for element in way]
        [before] = sessions(api, created)
        browser.click("finish")

        assert titles == [
            "Clera wants to link your bank",
            "Choose your bank",
            "Sign in at First Platypus Bank",
            "Choose an account",
            "Almost done",
        ]
        assert before["finished_at"] is None
        assert browser.left_for == APP
        [session] = sessions(api, created)
        assert session["finished_at"] is not None
        assert "exit" not in session.to_dict()
        [added] = session["results"]["item_add_results"]
        assert added["institution"]["name"] == "First Platypus Bank"
        assert [str(each["subtype"]) for each in added["accounts"]] == ["savings"]
        access_token = exchange(api, added["public_token"])["access_token"]
        [account] = accounts(api, access_token)
        assert account["account_id"] == added["accounts"][0]["id"]
        assert account["mask"] == added["accounts"][0]["mask"]

    def test_without_a_redirect_the_page_says_that_one_may_go(self, api):
        created = hosted(api)

        browser = link_bank(created["hosted_link_url"])

        assert browser.title == "Your bank is linked"
        assert "close this window" in browser.text

    def test_a_bank_with_a_page_of_its_own_sends_the_person_back(self, api):
        created = hosted(api, redirect=APP, redirect_uri=APP)
        browser = Browser(created["hosted_link_url"]).click("continue").click("bank-ins_109509")
        assert browser.title == "First Gingham Credit Union: your own page"

        browser.click("authorize")

        assert browser.title == "Choose an account"
        browser.click("account-checking").click("finish")
        assert browser.left_for == APP

    def test_a_made_up_state_does_not_pass_for_the_bank(self, api):
        page = hosted(api)["hosted_link_url"]
        browser = Browser(page).click("continue").click("bank-ins_109509")

        browser.open(f"{page}?oauth_state_id=made-up")

        assert browser.title == "First Gingham Credit Union: your own page"

    def test_a_wrong_password_is_refused_with_words_and_the_right_one_goes_on(self, api):
        browser = Browser(hosted(api)["hosted_link_url"]).click("continue").click("bank-ins_109508")

        browser.click("sign-in", password="pass_wrong")

        assert browser.status == 422
        assert 'role="alert"' in browser.text
        assert browser.click("sign-in", password="").status == 422
        assert browser.click("sign-in").title == "Choose an account"

    def test_another_bank_can_be_chosen_in_the_middle(self, api):
        browser = Browser(hosted(api)["hosted_link_url"]).click("continue").click("bank-ins_109508")

        browser.click("back").click("bank-ins_127989")

        assert browser.title == "Sign in at Bank of America"

    def test_a_step_that_is_not_next_changes_nothing(self, api):
        created = hosted(api)
        page = created["hosted_link_url"]
        Browser(page)

        for fields in ({"step": "finish"}, {"step": "account", "account": "checking"}, {}):
            assert httpx.post(page, data=fields).status_code == 303

        assert Browser(page).title == "Clera wants to link your bank"
        assert len(sessions(api, created)) == 1

    @pytest.mark.parametrize(
        ("way", "field"),
        [(["continue"], "bank"), (["continue", "bank-ins_109508", "sign-in"], "account")],
    )
    def test_what_is_not_on_the_list_cannot_be_chosen(self, api, way, field):
        page = hosted(api)["hosted_link_url"]
        browser = Browser(page)
        for element in way:
            browser.click(element)

        answer = httpx.post(page, data={"step": field, "institution": "ins_0", "account": "gold"})

        assert answer.status_code == 422

    def test_finished_twice_it_makes_one_item(self, api, still_server):
        created = hosted(api, redirect=APP)
        link_bank(created["hosted_link_url"])

        again = httpx.post(created["hosted_link_url"], data={"step": "finish"})

        assert again.headers["location"] == APP
        assert Browser(created["hosted_link_url"]).title == "Your bank is linked"
        assert len(sessions(api, created)) == 1
        assert len(still_server.control("items", method="GET")["items"]) == 1

    def test_a_second_login_shows_the_same_accounts_under_new_ids(self, api):
        [first] = accounts(api, linked_by_page(api))
        [second] = accounts(api, linked_by_page(api))
        [other] = accounts(api, linked_by_page(api, person="user-2"))

        assert first["mask"] == second["mask"] != other["mask"]
        assert first["account_id"] != second["account_id"]


class TestLeaving:
    @pytest.mark.parametrize(
        "way",
        [
            [],
            ["continue"],
            ["continue", "bank-ins_109508"],
            ["continue", "bank-ins_109509"],
            ["continue", "bank-ins_109508", "sign-in"],
            ["continue", "bank-ins_109508", "sign-in", "account-checking"],
        ],
    )
    def test_at_every_step_one_can_go(self, api, way):
        created = hosted(api, redirect=APP)
        browser = Browser(created["hosted_link_url"])
        for element in way:
            browser.click(element)

        browser.click("cancel")

        assert browser.left_for == APP
        [session] = sessions(api, created)
        assert session["finished_at"] is not None
        assert session["exit"]["metadata"]["link_session_id"] == session["link_session_id"]
        assert session["results"]["item_add_results"] == []

    def test_who_comes_back_begins_a_new_session(self, api):
        created = hosted(api)
        left = Browser(created["hosted_link_url"]).click("cancel")
        assert left.title == "No bank was linked"

        link_bank(created["hosted_link_url"])

        first, second = sessions(api, created)
        assert "exit" in first.to_dict()
        assert second["results"]["item_add_results"] != []


class TestAddresses:
    def test_a_browser_may_know_the_sandbox_by_another_name(self, serve):
        api = connect(serve(public_url="http://localhost:8900"))

        page = hosted(api)["hosted_link_url"]

        assert page.startswith("http://localhost:8900/plaid/hosted/")

    def test_an_unknown_page_is_said_to_be_so(self, still_server, api):
        created = hosted(api)

        browser = Browser(f"{still_server.url}/plaid/hosted/{created['link_token']}")

        assert (browser.status, browser.title) == (404, "This link is not known")

    @pytest.mark.parametrize(
        ("lifetime", "seconds"), [({}, 4 * 3600), ({"url_lifetime_seconds": 60}, 60)]
    )
    def test_an_old_page_is_gone(self, still_server, api, lifetime, seconds):
        asked = link_request(hosted_link=LinkTokenCreateHostedLink(**lifetime))
        page = api.link_token_create(asked)["hosted_link_url"]
        still_server.control("clock", {"advance": seconds - 1})
        assert Browser(page).status == 200

        still_server.control("clock", {"advance": 2})

        assert Browser(page).status == 410
        assert httpx.post(page, data={"step": "consent"}).status_code == 410

    def test_a_name_cannot_smuggle_markup_into_the_page(self, api):
        asked = link_request(hosted_link=LinkTokenCreateHostedLink())
        asked["client_name"] = "<b>x</b>"

        text = Browser(api.link_token_create(asked)["hosted_link_url"]).text

        assert "<b>x" not in text
        assert "&lt;b&gt;x" in text

    def test_the_page_loads_nothing_from_elsewhere(self, api):
        answer = httpx.get(hosted(api)["hosted_link_url"])

        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "src=" not in answer.text
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        "fields",
        [
            {"webhook": "nonsense"},
            {"webhook": "ftp://example.com"},
            {"redirect_uri": "javascript:alert(1)"},
            {"redirect_uri": "https://app.example.com/?x=1"},
            {"hosted_link": {"completion_redirect_uri": "javascript:alert(1)"}},
            {"hosted_link": {"url_lifetime_seconds": 0}},
            {"hosted_link": "yes"},
            {"country_codes": "US"},
            {"redirect_uri": "http://["},
        ],
    )
    def test_a_field_that_is_not_understood_is_refused(self, still_server, fields):
        asked = {
            "client_id": "sandbox-client",
            "secret": "sandbox-secret",
            "client_name": "Clera",
            "language": "en",
            "country_codes": ["US"],
            "user": {"client_user_id": "user-1"},
            "products": ["auth"],
        }

        answer = httpx.post(f"{still_server.url}/plaid/link/token/create", json=asked | fields)

        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_FIELD")
        assert still_server.effects(kind="link_token.created") == []


class TestUpdateMode:
    def test_signing_in_again_mends_the_item_and_makes_no_other(self, still_server, api):
        access_token = linked_by_page(api)
        api.sandbox_item_reset_login(SandboxItemResetLoginRequest(access_token=access_token))
        assert refusal(lambda: accounts(api, access_token)) == (400, "ITEM_LOGIN_REQUIRED")
        created = hosted(api, redirect=APP, access_token=access_token)

        browser = Browser(created["hosted_link_url"])
        assert "account-checking" not in browser.text
        browser.click("sign-in").click("finish")

        assert browser.left_for == APP
        assert len(accounts(api, access_token)) == 1
        [session] = sessions(api, created)
        assert session["finished_at"] is not None
        assert session["results"]["item_add_results"] == []
        assert len(still_server.control("items", method="GET")["items"]) == 1

    def test_a_bank_with_a_page_of_its_own_is_mended_there(self, api):
        access_token = linked_by_page(api, "ins_109509")
        api.sandbox_item_reset_login(SandboxItemResetLoginRequest(access_token=access_token))

        page = hosted(api, access_token=access_token)["hosted_link_url"]
        Browser(page).click("authorize").click("finish")

        assert len(accounts(api, access_token)) == 1

    def test_a_wrong_access_token_mends_nothing(self, api):
        assert refusal(lambda: hosted(api, access_token="access-sandbox-x")) == (
            400,
            "INVALID_ACCESS_TOKEN",
        )


def test_a_link_goes_on_after_a_restart(tmp_path):
    with running(World.create(Settings(speed=0, data=tmp_path))) as server:
        created = hosted(connect(server))
        path = created["hosted_link_url"].removeprefix(server.url)
        Browser(server.url + path).click("continue").click("bank-ins_109508")

    with running(World.create(Settings(speed=0, data=tmp_path))) as server:
        browser = Browser(server.url + path)
        browser.click("sign-in").click("account-checking").click("finish")
        [session] = sessions(connect(server), created)
        [added] = session["results"]["item_add_results"]
        access_token = exchange(connect(server), added["public_token"])["access_token"]

    with running(World.create(Settings(speed=0, data=tmp_path))) as server:
        assert len(accounts(connect(server), access_token)) == 1
        assert refusal(lambda: exchange(connect(server), added["public_token"])) == (
            400,
            "INVALID_PUBLIC_TOKEN",
        )
