import json
from datetime import UTC, datetime, timedelta

import httpx
import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.auth_get_request import AuthGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.institutions_get_by_id_request import InstitutionsGetByIdRequest
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.processor_token_create_request import ProcessorTokenCreateRequest
from plaid.model.products import Products

from sandbox.plaid import bank_behind
from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.plaid_clients import (
    connect,
    exchange,
    link_request,
    linked,
    public_token,
    refusal,
)


@pytest.fixture
def api(sandbox_server: Server) -> PlaidApi:
    return connect(sandbox_server)


class TestLink:
    def test_a_link_token_lasts_four_hours(self, sandbox_server: Server, api: PlaidApi):
        created = api.link_token_create(link_request())

        left = created["expiration"] - sandbox_server.world.clock.now()
        assert timedelta(hours=3, minutes=55) < left <= timedelta(hours=4)
        assert "hosted_link_url" not in created.to_dict()

    def test_a_made_up_link_is_not_known(self, sandbox_server: Server, api: PlaidApi):
        assert httpx.get(f"{sandbox_server.url}/plaid/hosted/link-sandbox-x.y").status_code == 404
        ask = LinkTokenGetRequest(link_token="link-sandbox-x.y")
        assert refusal(lambda: api.link_token_get(ask)) == (400, "INVALID_LINK_TOKEN")

    @pytest.mark.parametrize(("hours", "is_known"), [(9.9, True), (10.1, False)])
    def test_a_link_is_forgotten_some_hours_after_its_end(
        self, still_server: Server, hours: float, is_known: bool
    ):
        api = connect(still_server)
        ask = LinkTokenGetRequest(link_token=api.link_token_create(link_request())["link_token"])
        still_server.control("clock", {"advance": hours * 3600})

        if is_known:
            assert api.link_token_get(ask)["link_sessions"] == []
        else:
            assert refusal(lambda: api.link_token_get(ask)) == (400, "INVALID_LINK_TOKEN")

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

    def test_no_token_of_a_removed_item_is_good_any_more(
        self, sandbox_server: Server, api: PlaidApi
    ):
        access_token = linked(api)
        [checking, _] = api.accounts_get(AccountsGetRequest(access_token=access_token))["accounts"]
        processor = ProcessorTokenCreateRequest(
            access_token=access_token, account_id=checking["account_id"], processor="alpaca"
        )
        processor_token = api.processor_token_create(processor)["processor_token"]
        api.item_remove(ItemRemoveRequest(access_token=access_token))

        calls = [
            lambda: api.item_get(ItemGetRequest(access_token=access_token)),
            lambda: api.accounts_get(AccountsGetRequest(access_token=access_token)),
            lambda: api.auth_get(AuthGetRequest(access_token=access_token)),
            lambda: api.processor_token_create(processor),
            lambda: api.item_remove(ItemRemoveRequest(access_token=access_token)),
        ]
        assert {refusal(call) for call in calls} == {(400, "ITEM_NOT_FOUND")}
        assert bank_behind(sandbox_server.world, processor_token) is None
        desk = Desk(sandbox_server)
        banks = f"/v1/accounts/{desk.open_account()}/ach_relationships"
        desk.call("POST", banks, status=422, json={"processor_token": processor_token})
        assert len(sandbox_server.effects(kind="item.removed")) == 1

    def test_the_broker_links_the_account_behind_a_processor_token(
        self, sandbox_server: Server, api: PlaidApi
    ):
        access_token = linked(api, "ins_109508")
        [_, savings] = api.accounts_get(AccountsGetRequest(access_token=access_token))["accounts"]
        made = api.processor_token_create(
            ProcessorTokenCreateRequest(
                access_token=access_token, account_id=savings["account_id"], processor="alpaca"
            )
        )
        desk = Desk(sandbox_server)
        banks = f"/v1/accounts/{desk.open_account()}/ach_relationships"

        bank = desk.call("POST", banks, json={"processor_token": made["processor_token"]})

        assert bank["nickname"] == "First Platypus Bank Savings"
        assert bank["bank_account_type"] == "SAVINGS"
        assert bank["processor_token"] == made["processor_token"]
        assert bank["bank_account_number"].isdigit()
        [listed] = desk.call("GET", banks)
        assert "processor_token" not in listed
        assert listed["bank_account_number"].endswith(f"*{savings['mask']}")

    def test_only_a_bank_with_a_page_of_its_own_lets_a_consent_run_out(self, api: PlaidApi):
        chase, platypus = (
            api.item_get(ItemGetRequest(access_token=linked(api, institution)))["item"]
            for institution in ("ins_56", "ins_109508")
        )

        assert chase["consent_expiration_time"] > datetime.now(UTC)
        assert platypus["consent_expiration_time"] is None

    def test_of_a_bank_whose_name_is_not_told_the_name_can_be_asked(self, api: PlaidApi):
        item = api.item_get(ItemGetRequest(access_token=linked(api, "ins_127989")))["item"]

        assert (item["institution_id"], item["institution_name"]) == ("ins_127989", None)

    def test_ids_tell_capitals_from_small_letters(self, api: PlaidApi):
        read = AccountsGetRequest(access_token=linked(api))
        told = api.accounts_get(read)

        ids = [told["item"]["item_id"], *(each["account_id"] for each in told["accounts"])]
        assert len(set(ids)) == 3
        assert all(each.lower() != each != each.upper() for each in ids)

    @pytest.mark.parametrize("spoil", [lambda token: token[:-1], str.lower, str.upper])
    def test_the_broker_knows_a_token_that_was_spoilt(self, sandbox_server, api, spoil):
        access_token = linked(api)
        [checking, _] = api.accounts_get(AccountsGetRequest(access_token=access_token))["accounts"]
        made = api.processor_token_create(
            ProcessorTokenCreateRequest(
                access_token=access_token, account_id=checking["account_id"], processor="alpaca"
            )
        )
        desk = Desk(sandbox_server)
        banks = f"/v1/accounts/{desk.open_account()}/ach_relationships"

        spoilt = spoil(made["processor_token"])
        desk.call("POST", banks, status=422, json={"processor_token": spoilt})

    def test_a_bank_is_described(self, api: PlaidApi):
        def show(institution: str) -> InstitutionsGetByIdRequest:
            return InstitutionsGetByIdRequest(
                institution_id=institution, country_codes=[CountryCode("US")]
            )

        bank = api.institutions_get_by_id(show("ins_109509"))["institution"]

        assert (bank["name"], bank["oauth"]) == ("First Gingham Credit Union", True)
        assert refusal(lambda: api.institutions_get_by_id(show("ins_0"))) == (
            400,
            "INVALID_INSTITUTION",
        )


class TestPublicTokens:
    def test_one_is_exchanged_once(self, sandbox_server: Server, api: PlaidApi):
        token = public_token(api)
        exchange(api, token)

        assert refusal(lambda: exchange(api, token)) == (400, "INVALID_PUBLIC_TOKEN")
        assert len(sandbox_server.effects(kind="public_token.exchanged")) == 1

    @pytest.mark.parametrize(("minutes", "is_good"), [(29, True), (31, False)])
    def test_one_is_good_for_half_an_hour(self, still_server: Server, minutes: int, is_good: bool):
        api = connect(still_server)
        token = public_token(api)
        still_server.control("clock", {"advance": minutes * 60})

        if is_good:
            assert exchange(api, token)["item_id"]
        else:
            assert refusal(lambda: exchange(api, token)) == (400, "INVALID_PUBLIC_TOKEN")
        assert len(still_server.effects(kind="public_token.exchanged")) == is_good


class TestRefusals:
    def test_wrong_keys(self, sandbox_server: Server):
        api = connect(sandbox_server, "wrong")

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

    @pytest.mark.parametrize(
        "wrong",
        [
            {"products": ["gold"]},
            {"country_codes": ["US", "XX"]},
            {"client_name": "C" * 31},
        ],
    )
    def test_a_link_that_asks_for_what_there_is_not(
        self, sandbox_server: Server, wrong: dict[str, object]
    ):
        body = link_request().to_dict() | wrong
        headers = {"plaid-client-id": "sandbox-client", "plaid-secret": "sandbox-secret"}
        url = f"{sandbox_server.url}/plaid/link/token/create"

        answer = httpx.post(url, json=body, headers=headers)

        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_FIELD")
        assert sandbox_server.effects(kind="link_token.created") == []

    def test_products_are_not_for_mending_a_login(self, api: PlaidApi):
        wanted = link_request(access_token=linked(api), products=[Products("auth")])

        assert refusal(lambda: api.link_token_create(wanted)) == (400, "INVALID_FIELD")

    @pytest.mark.parametrize(
        ("status", "variant", "said"),
        [
            (400, "INSTITUTION_DOWN", ("INSTITUTION_ERROR", "INSTITUTION_DOWN")),
            (429, "", ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED")),
            (500, "", ("API_ERROR", "INTERNAL_SERVER_ERROR")),
        ],
    )
    def test_a_planned_failure_is_worded_as_this_vendor_does(
        self,
        sandbox_server: Server,
        api: PlaidApi,
        status: int,
        variant: str,
        said: tuple[str, str],
    ):
        access_token = linked(api)
        sandbox_server.fault(kind="status", vendor="plaid", status=status, variant=variant)

        with pytest.raises(plaid.ApiException) as failed:
            api.item_get(ItemGetRequest(access_token=access_token))

        told = json.loads(failed.value.body)
        assert failed.value.status == status
        assert (told["error_type"], told["error_code"]) == said

    def test_a_refusal_can_quote_a_token(self, sandbox_server: Server, api: PlaidApi):
        access_token = linked(api)
        sandbox_server.fault(kind="quote", vendor="plaid")

        with pytest.raises(plaid.ApiException) as failed:
            api.item_get(ItemGetRequest(access_token=access_token))

        assert failed.value.status == 400
        assert access_token in json.loads(failed.value.body)["error_message"]

    @pytest.mark.parametrize("body", ["{", "[]"])
    def test_a_body_that_is_no_object(self, sandbox_server: Server, body: str):
        answer = httpx.post(f"{sandbox_server.url}/plaid/accounts/get", content=body)

        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_BODY")


def test_moments_are_in_utc(api: PlaidApi):
    assert api.link_token_create(link_request())["expiration"].astimezone(UTC) > datetime.now(UTC)
