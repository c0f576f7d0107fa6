import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.auth_get_request import AuthGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.processor_token_create_request import ProcessorTokenCreateRequest
from plaid.model.products import Products
from plaid.model.sandbox_public_token_create_request import SandboxPublicTokenCreateRequest

from sandbox.plaid import bank_behind
from sandbox.tests.conftest import Server

Connect = Callable[..., PlaidApi]


@pytest.fixture
def connect(sandbox_server: Server) -> Connect:
    def connecting(secret: str = "sandbox-secret") -> PlaidApi:
        configuration = plaid.Configuration(
            host=f"{sandbox_server.url}/plaid",
            api_key={
                "clientId": "sandbox-client",
                "secret": secret,
                "plaidVersion": "2020-09-14",
            },
        )
        return PlaidApi(plaid.ApiClient(configuration))

    return connecting


@pytest.fixture
def api(connect: Connect) -> PlaidApi:
    return connect()


def link_request(**more: Any) -> LinkTokenCreateRequest:
    return LinkTokenCreateRequest(
        client_name="Clera",
        language="en",
        country_codes=[CountryCode("US")],
        user=LinkTokenCreateRequestUser(client_user_id="user-1"),
        products=[Products("auth")],
        **more,
    )


def linked(api: PlaidApi, institution: str = "ins_56") -> str:
    public = api.sandbox_public_token_create(
        SandboxPublicTokenCreateRequest(
            institution_id=institution, initial_products=[Products("auth")]
        )
    )
    exchanged = api.item_public_token_exchange(
        ItemPublicTokenExchangeRequest(public_token=public["public_token"])
    )
    access_token: str = exchanged["access_token"]
    return access_token


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(plaid.ApiException) as raised:
        call()
    return raised.value.status, json.loads(raised.value.body)["error_code"]


class TestLink:
    def test_a_link_token_lasts_four_hours(self, sandbox_server: Server, api: PlaidApi):
        created = api.link_token_create(link_request())

        left = created["expiration"] - sandbox_server.world.clock.now()
        assert timedelta(hours=3, minutes=55) < left <= timedelta(hours=4)
        assert "hosted_link_url" not in created.to_dict()

    def test_a_hosted_link_hands_over_its_public_token_once_a_bank_is_chosen(self, api: PlaidApi):
        created = api.link_token_create(
            link_request(
                hosted_link=LinkTokenCreateHostedLink(
                    completion_redirect_uri="https://app.example.com/callback"
                )
            )
        )
        page = created["hosted_link_url"]
        ask = LinkTokenGetRequest(link_token=created["link_token"])
        assert api.link_token_get(ask)["link_sessions"] == []

        assert "Chase" in httpx.get(page).text
        done = httpx.post(page, params={"institution": "ins_56"})

        assert (done.status_code, done.headers["location"]) == (
            303,
            "https://app.example.com/callback",
        )
        (session,) = api.link_token_get(ask)["link_sessions"]
        (result,) = session["results"]["item_add_results"]
        assert result["institution"]["name"] == "Chase"
        exchanged = api.item_public_token_exchange(
            ItemPublicTokenExchangeRequest(public_token=result["public_token"])
        )
        assert exchanged["item_id"]

    def test_a_made_up_link_is_not_known(self, sandbox_server: Server, api: PlaidApi):
        assert httpx.get(f"{sandbox_server.url}/plaid/hosted/link-sandbox-x.y").status_code == 404
        ask = LinkTokenGetRequest(link_token="link-sandbox-x.y")
        assert refusal(lambda: api.link_token_get(ask)) == (400, "INVALID_LINK_TOKEN")

    def test_a_bank_that_does_not_exist_cannot_be_chosen(self, api: PlaidApi):
        page = api.link_token_create(link_request(hosted_link=LinkTokenCreateHostedLink()))[
            "hosted_link_url"
        ]

        assert httpx.post(page, params={"institution": "ins_0"}).status_code == 404
        assert httpx.post(page).status_code == 200

    def test_missing_fields_are_named(self, sandbox_server: Server):
        answer = httpx.post(
            f"{sandbox_server.url}/plaid/link/token/create",
            json={"client_id": "sandbox-client", "secret": "sandbox-secret", "client_name": "C"},
        )

        assert answer.status_code == 400
        assert answer.json()["error_code"] == "MISSING_FIELDS"
        assert "language" in answer.json()["error_message"]


class TestItems:
    def test_the_whole_way_to_a_processor_token(self, sandbox_server: Server, api: PlaidApi):
        access_token = linked(api)
        accounts = api.accounts_get(AccountsGetRequest(access_token=access_token))
        checking, savings = accounts["accounts"]
        numbers = api.auth_get(AuthGetRequest(access_token=access_token))["numbers"]["ach"]

        created = api.processor_token_create(
            ProcessorTokenCreateRequest(
                access_token=access_token, account_id=checking["account_id"], processor="alpaca"
            )
        )

        assert accounts["item"]["institution_id"] == "ins_56"
        assert (str(checking["subtype"]), str(savings["subtype"])) == ("checking", "savings")
        assert checking["balances"]["available"] < checking["balances"]["current"]
        assert bank_behind(sandbox_server.world, created["processor_token"]) == {
            "institution": "Chase",
            "type": "CHECKING",
            "account_number": numbers[0]["account"],
            "routing_number": numbers[0]["routing"],
            "mask": checking["mask"],
        }
        kinds = [effect["kind"] for effect in sandbox_server.effects(vendor="plaid")]
        assert kinds == ["public_token.exchanged", "processor_token.created"]

    def test_an_item_stays_the_same_whenever_it_is_read(self, api: PlaidApi):
        access_token = linked(api)
        ask = AccountsGetRequest(access_token=access_token)

        first, second = (api.accounts_get(ask).to_dict() for _ in range(2))

        assert first["accounts"] == second["accounts"]
        item = api.item_get(ItemGetRequest(access_token=access_token))["item"]
        assert item["item_id"] == first["item"]["item_id"]

    def test_two_logins_are_two_items(self, api: PlaidApi):
        first, second = (
            api.accounts_get(AccountsGetRequest(access_token=linked(api))) for _ in range(2)
        )

        assert first["item"]["item_id"] != second["item"]["item_id"]

    def test_an_item_can_be_removed(self, sandbox_server: Server, api: PlaidApi):
        answer = api.item_remove(ItemRemoveRequest(access_token=linked(api)))

        assert answer["request_id"]
        assert sandbox_server.effects(vendor="plaid")[-1]["kind"] == "item.removed"


class TestRefusals:
    def test_wrong_keys(self, connect: Connect):
        api = connect("wrong")

        assert refusal(lambda: api.link_token_create(link_request())) == (400, "INVALID_API_KEYS")

    def test_tokens_that_were_not_made_here(self, sandbox_server: Server, api: PlaidApi):
        good = linked(api)
        exchange = ItemPublicTokenExchangeRequest(public_token=good.replace("access", "public"))
        read = AccountsGetRequest(access_token=good[:-1] + ("0" if good[-1] != "0" else "1"))

        calls = [
            lambda: api.item_public_token_exchange(exchange),
            lambda: api.accounts_get(read),
        ]
        assert [refusal(call) for call in calls] == [
            (400, "INVALID_PUBLIC_TOKEN"),
            (400, "INVALID_ACCESS_TOKEN"),
        ]
        assert bank_behind(sandbox_server.world, good) is None

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"account_id": "other"}, "INVALID_ACCOUNT_ID"),
            ({"processor": "dwolla"}, "INVALID_PROCESSOR"),
        ],
    )
    def test_a_processor_token_for_something_else(
        self, sandbox_server: Server, api: PlaidApi, changed: dict[str, str], code: str
    ):
        access_token = linked(api)
        accounts = api.accounts_get(AccountsGetRequest(access_token=access_token))["accounts"]
        fields = {"account_id": accounts[0]["account_id"], "processor": "alpaca"} | changed
        ask = ProcessorTokenCreateRequest(access_token=access_token, **fields)

        assert refusal(lambda: api.processor_token_create(ask)) == (400, code)
        assert sandbox_server.effects(kind="processor_token.created") == []

    def test_an_unknown_bank(self, api: PlaidApi):
        assert refusal(lambda: linked(api, "ins_0")) == (400, "INVALID_INSTITUTION")

    @pytest.mark.parametrize("body", ["{", "[]"])
    def test_a_body_that_is_no_object(self, sandbox_server: Server, body: str):
        answer = httpx.post(f"{sandbox_server.url}/plaid/accounts/get", content=body)

        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_BODY")


def test_moments_are_in_utc(api: PlaidApi):
    assert api.link_token_create(link_request())["expiration"].astimezone(UTC) > datetime.now(UTC)
