"""What vendors write of people, in refusals and in events, is not kept with their names in it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateways import Application, NewDocument
from accounts.gateways.alpaca import AlpacaBrokerage
from accounts.tests.factories import application
from core.errors import VendorRejected
from core.feeds import VendorEvent
from core.tests.sandboxes import Sandbox, running
from funding.gateways import BankAccount, Payment
from funding.gateways.alpaca import AlpacaFunds

pytestmark = pytest.mark.django_db

FILE = b"%PDF-1.7 passport of Ada Stone"
BANK = BankAccount(
    owner_name="Ada Stone",
    account_type="CHECKING",
    number="000123456789",
    routing_number="121000358",
)


@pytest.fixture(scope="module")
def _sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: Sandbox, settings: Any) -> Sandbox:
    _sandbox.reset()
    _sandbox.point(settings)
    return _sandbox


@pytest.fixture
def account(sandbox: Sandbox) -> str:
    return AlpacaBrokerage().open_account(application()).broker_account_id


def events(feed: Any) -> list[dict[str, Any]]:
    """Read a stream up to its first pause."""
    found: list[dict[str, Any]] = []
    pauses = 0
    with feed.open(None) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                found.append(dict(item.payload))
            pauses += item is None
            if pauses == 2:  # the first is the greeting
                return found
    raise AssertionError("the stream has ended")


class TestRefusals:
    def refuse(self, sandbox: Sandbox, path: str) -> None:
        sandbox.fault(kind="quote", vendor="alpaca_broker", path=path)

    @pytest.fixture
    def sent(self) -> Application:
        return application("ada@example.com")

    def test_an_application_is_not_repeated(self, sandbox: Sandbox, sent: Application) -> None:
        self.refuse(sandbox, "^/v1/accounts$")

        with pytest.raises(VendorRejected) as refused:
            AlpacaBrokerage().open_account(sent)

        assert refused.value.detail.startswith("these are not valid: [hidden]")
        for said in ("Ada", "Stone", "555", "Main", "San", "94105", "1990", "6789"):
            assert said not in refused.value.detail

    def test_a_change_is_not_repeated(self, sandbox: Sandbox, account: str) -> None:
        self.refuse(sandbox, f"^/v1/accounts/{account}$")

        with pytest.raises(VendorRejected) as refused:
            AlpacaBrokerage().change_account(account, {"contact": {"city": "Li Oaks"}})

        assert refused.value.detail == "these are not valid: [hidden] [hidden]"

    def test_a_document_is_not_repeated(self, sandbox: Sandbox, account: str) -> None:
        self.refuse(sandbox, "/documents/upload$")
        document = NewDocument("identity_verification", "", "application/pdf", FILE)

        with pytest.raises(VendorRejected) as refused:
            AlpacaBrokerage().hand_in(account, document)

        assert refused.value.detail == "these are not valid: [hidden] [hidden] [hidden]"

    def test_a_bank_is_not_repeated(self, sandbox: Sandbox, account: str) -> None:
        self.refuse(sandbox, "/ach_relationships$")

        with pytest.raises(VendorRejected) as refused:
            AlpacaFunds().link_bank(account, BANK)

        assert set(refused.value.detail.removeprefix("these are not valid: ").split()) == {
            "[hidden]"
        }

    def test_what_is_not_personal_may_be_repeated(self, sandbox: Sandbox, account: str) -> None:
        self.refuse(sandbox, "/transfers$")

        with pytest.raises(VendorRejected) as refused:
            AlpacaFunds().move_money(account, Payment("bank-1", "INCOMING", Decimal("5.00")))

        assert "ach bank-1 5.00 INCOMING" in refused.value.detail


class TestEvents:
    def test_of_what_checks_have_found_only_their_names_are_kept(
        self, sandbox: Sandbox, account: str
    ) -> None:
        said = {
            "status": "ACTION_REQUIRED",
            "reason": "Ada Stone has another name on her passport.",
            "kyc_results": {
                "reject": {"IDENTITY_VERIFICATION": {"name": "Ada Stone"}},
                "accept": {"SELFIE_VERIFICATION": {}},
                "additional_information": "Ada Stone, 123-45-6789",
                "summary": "fail",
            },
        }
        sandbox.control("POST", f"/accounts/{account}/status", said)

        kept = events(AlpacaBrokerage().status_feed())[-1]

        assert "Ada" not in json.dumps(kept)
        assert kept["kyc_results"] == {"reject": {"IDENTITY_VERIFICATION": {}}}
        assert set(kept) == {
            "account_id", "at", "event_id", "event_ulid", "status_from", "status_to", "kyc_results",
        }  # fmt: skip
        news = AlpacaBrokerage().read_news(kept)
        assert (news.status, news.requirements) == ("ACTION_REQUIRED", ("IDENTITY_VERIFICATION",))

    def test_of_money_no_more_is_kept_than_is_read(self, sandbox: Sandbox, account: str) -> None:
        sandbox.control("POST", f"/accounts/{account}/status", {"status": "ACTIVE"})
        funds = AlpacaFunds()
        bank = funds.link_bank(account, BANK)
        sandbox.advance(60)
        sandbox.fault(kind="return_transfer", vendor="alpaca_broker")
        funds.move_money(account, Payment(bank.broker_relationship_id, "INCOMING", Decimal(50)))
        sandbox.advance(3600)

        kept = events(funds.feed())

        names = {name for payload in kept for name in payload}
        assert names <= {
            "account_id", "at", "entity_id", "entity_type", "event_id", "event_ulid", "reason",
            "status_from", "status_to",
        }  # fmt: skip
        told = [news for payload in kept if (news := funds.read_news(payload))]
        assert {news.status for news in told} >= {"QUEUED", "APPROVED", "RETURNED"}
