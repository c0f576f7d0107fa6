"""What we rely on at Plaid: the page, what it brings, items, processors and webhook keys."""

import contextlib
from uuid import uuid4

import jwt
import pytest
from django.conf import settings

from core.errors import VendorRejected
from core.vendors.transport import Vendor, transport_for

VENDOR = "plaid"
BANK = "ins_109508"
APP = "https://app.example.com/callback"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vendor")]


def ask(path, **body):
    headers = (
        ("PLAID-CLIENT-ID", settings.PLAID_CLIENT_ID),
        ("PLAID-SECRET", settings.PLAID_SECRET),
    )
    plaid = transport_for(Vendor("plaid", settings.PLAID_URL, headers=headers))
    return plaid.write("POST", path, json=body)


def create(**changes):
    body = {
        "client_name": "Clera",
        "language": "en",
        "country_codes": ["US"],
        "user": {"client_user_id": "contract-test"},
        "products": ["auth"],
        "hosted_link": {},
    }
    return ask("/link/token/create", **body | changes)


def sign_in():
    made = ask("/sandbox/public_token/create", institution_id=BANK, initial_products=["auth"])
    return made["public_token"]


def exchange(public_token):
    return ask("/item/public_token/exchange", public_token=public_token)


def refusal(path, **body):
    with pytest.raises(VendorRejected) as caught:
        ask(path, **body)
    return caught.value


@pytest.fixture
def access_token():
    """A fresh item, which is removed at the end if the test has not done so."""
    token = exchange(sign_in())["access_token"]
    yield token
    with contextlib.suppress(VendorRejected):
        ask("/item/remove", access_token=token)


@pytest.fixture
def person(request, vendor):
    """Somebody to go through the page, whom only the sandbox has."""
    if vendor == "live":
        pytest.skip("nobody is there to sign in at a live page")
    return request.getfixturevalue("pretend")


class TestPages:
    def test_a_link_token_comes_with_a_page(self):
        answer = create()

        assert answer["link_token"].startswith("link-")
        assert answer["hosted_link_url"].startswith("http")

    def test_a_page_for_banks_with_their_own_comes_with_its_end(self, person):
        answer = create(redirect_uri=APP, webhook=APP, hosted_link={"completion_redirect_uri": APP})

        shown = ask("/link/token/get", link_token=answer["link_token"])

        assert shown["link_sessions"] == []
        assert shown["expiration"] == answer["expiration"]
        assert shown["metadata"]["redirect_uri"] == APP
        assert person.sign_in(answer["hosted_link_url"], institution="ins_109509") == APP

    def test_a_finished_page_hands_over_one_public_token(self, person):
        answer = create()
        person.sign_in(answer["hosted_link_url"])

        [session] = ask("/link/token/get", link_token=answer["link_token"])["link_sessions"]

        [added] = session["results"]["item_add_results"]
        [account] = added["accounts"]
        assert session["finished_at"]
        assert added["institution"] == {
            "name": "First Platypus Bank",
            "institution_id": "ins_109508",
        }
        assert (account["type"], account["subtype"]) == ("depository", "checking")
        assert account["mask"].isdigit()
        assert exchange(added["public_token"])["item_id"]

    def test_a_page_that_was_left_says_so(self, person):
        answer = create()
        person.leave(answer["hosted_link_url"])

        [session] = ask("/link/token/get", link_token=answer["link_token"])["link_sessions"]

        assert session["finished_at"]
        assert session["exit"]
        assert session["results"]["item_add_results"] == []

    def test_a_page_that_mends_a_login_needs_no_products(self, person, access_token):
        ask("/sandbox/item/reset_login", access_token=access_token)
        answer = create(access_token=access_token, products=None)

        person.sign_in(answer["hosted_link_url"], account=None)

        [session] = ask("/link/token/get", link_token=answer["link_token"])["link_sessions"]
        assert session["results"]["item_add_results"] == []
        assert ask("/item/get", access_token=access_token)["item"]["error"] is None

    def test_a_wrong_request_is_a_clear_no_with_its_reason(self):
        with pytest.raises(VendorRejected) as caught:
            create(client_name=None)

        assert caught.value.http_status == 400
        assert caught.value.detail

    def test_an_unknown_page_is_a_clear_no(self):
        assert refusal("/link/token/get", link_token="link-sandbox-x").http_status == 400


class TestItems:
    def test_a_public_token_is_exchanged_once(self):
        public_token = sign_in()
        first = exchange(public_token)

        assert first["access_token"].startswith("access-")
        assert first["item_id"]
        assert refusal("/item/public_token/exchange", public_token="public-sandbox-x")
        ask("/item/remove", access_token=first["access_token"])

    def test_a_login_that_the_bank_wants_again_is_seen_at_the_item(self, access_token):
        before = ask("/item/get", access_token=access_token)["item"]

        ask("/sandbox/item/reset_login", access_token=access_token)

        after = ask("/item/get", access_token=access_token)["item"]
        assert (before["error"], before["institution_id"]) == (None, BANK)
        assert after["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
        assert refusal("/accounts/get", access_token=access_token).http_status == 400

    def test_an_account_is_known_by_id_and_its_last_digits(self, access_token):
        accounts = ask("/accounts/get", access_token=access_token)["accounts"]

        assert all(each["account_id"] and len(each["mask"]) >= 2 for each in accounts)
        assert "checking" in {each["subtype"] for each in accounts}

    def test_the_broker_gets_a_token_of_its_own(self, access_token):
        accounts = ask("/accounts/get", access_token=access_token)["accounts"]
        [checking] = [each for each in accounts if each["subtype"] == "checking"][:1]

        made = ask(
            "/processor/token/create",
            access_token=access_token,
            account_id=checking["account_id"],
            processor="alpaca",
        )

        assert made["processor_token"].startswith("processor-")

    def test_a_removed_item_is_gone(self, access_token):
        ask("/item/remove", access_token=access_token)

        assert refusal("/item/get", access_token=access_token).http_status == 400


class TestWebhookKeys:
    def test_a_made_up_key_is_a_clear_no(self):
        assert refusal("/webhook_verification_key/get", key_id=str(uuid4())).http_status == 400

    def test_the_key_of_a_webhook_checks_its_signature(self, person):
        signed = person.control("POST", "/webhooks/signed", {"body": "{}"})["verification"]
        header = jwt.get_unverified_header(signed)

        key = ask("/webhook_verification_key/get", key_id=header["kid"])["key"]

        assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
        assert key["expired_at"] is None
        assert jwt.decode(signed, jwt.PyJWK(key), algorithms=["ES256"])["request_body_sha256"]
