"""The vendor's own client, pointed at the sandbox, and what tests ask of it."""

import json
from collections.abc import Callable
from typing import Any

import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.country_code import CountryCode
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.products import Products
from plaid.model.sandbox_public_token_create_request import SandboxPublicTokenCreateRequest

from sandbox.tests.browser import link_bank
from sandbox.tests.conftest import Server


def connect(server: Server, secret: str = "sandbox-secret") -> PlaidApi:
    configuration = plaid.Configuration(
        host=f"{server.url}/plaid",
        api_key={"clientId": "sandbox-client", "secret": secret, "plaidVersion": "2020-09-14"},
    )
    return PlaidApi(plaid.ApiClient(configuration))


def link_request(person: str = "user-1", **more: Any) -> LinkTokenCreateRequest:
    if "access_token" not in more:
        more["products"] = [Products("auth")]
    return LinkTokenCreateRequest(
        client_name="Clera",
        language="en",
        country_codes=[CountryCode("US")],
        user=LinkTokenCreateRequestUser(client_user_id=person),
        **more,
    )


def hosted(api: PlaidApi, person: str = "user-1", redirect: str = "", **more: Any) -> Any:
    """Make a link token with a page."""
    page = {"completion_redirect_uri": redirect} if redirect else {}
    wanted = link_request(person, hosted_link=LinkTokenCreateHostedLink(**page), **more)
    return api.link_token_create(wanted)


def sessions(api: PlaidApi, created: Any) -> list[Any]:
    """Read how far a link has come."""
    found = api.link_token_get(LinkTokenGetRequest(link_token=created["link_token"]))
    return list(found["link_sessions"])


def exchange(api: PlaidApi, public_token: str) -> Any:
    return api.item_public_token_exchange(ItemPublicTokenExchangeRequest(public_token=public_token))


def public_token(api: PlaidApi, institution: str = "ins_56") -> str:
    """Link a bank without a page."""
    made = api.sandbox_public_token_create(
        SandboxPublicTokenCreateRequest(
            institution_id=institution, initial_products=[Products("auth")]
        )
    )
    token: str = made["public_token"]
    return token


def linked(api: PlaidApi, institution: str = "ins_56") -> str:
    access_token: str = exchange(api, public_token(api, institution))["access_token"]
    return access_token


def linked_by_page(api: PlaidApi, institution: str = "ins_109508", **more: Any) -> str:
    """Link a bank as a person does, and give the access token."""
    created = hosted(api, **more)
    link_bank(created["hosted_link_url"], institution)
    [session] = sessions(api, created)
    [added] = session["results"]["item_add_results"]
    access_token: str = exchange(api, added["public_token"])["access_token"]
    return access_token


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(plaid.ApiException) as raised:
        call()
    return raised.value.status, json.loads(raised.value.body)["error_code"]
