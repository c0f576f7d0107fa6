"""Customers who sign in to their bank at Plaid, in every way in which that can end."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from celery import Celery

from core.tests.sandboxes import Sandbox
from tests.privacy.clients import Client, published
from tests.privacy.people import Person
from tests.privacy.planting import FAULTS, Planting

CALLBACK = "https://app.example.com/callback"
# A sign-in that nothing comes of, by what goes wrong in it, and at which call.
FAILURES = {
    "exchange, quote": ("plaid", "quote", "^/item/public_token/exchange$"),
    "exchange, hang": ("plaid", "hang", "^/item/public_token/exchange$"),
    "exchange, half": ("plaid", "half", "^/item/public_token/exchange$"),
    "processor token, quote": ("plaid", "quote", "^/processor/token/create$"),
    "bank, quoted token": ("alpaca_broker", "quote", "/{account}/ach_relationships$"),
}
# One that is tried again, and succeeds.
DELAYS = {
    "progress, quote": ("plaid", "quote", "^/link/token/get$"),
    "processor token, half": ("plaid", "half", "^/processor/token/create$"),
}


class Banking:
    """The tokens that these customers cause are canaries, wherever they come from."""

    def __init__(self, planting: Planting) -> None:
        self.planting, self.net = planting, planting.net
        self.sandbox = Sandbox(planting.clera.sandbox)
        self.lost_transfer = ""

    def fault(self, vendor: str, name: str, path: str) -> None:
        self.sandbox.fault(**FAULTS[name], vendor=vendor, method="POST", path=path)

    # Signing in

    def page(self, person: Person, **more: str) -> dict[str, Any]:
        """Ask for a page; what is in the answer is for the browser alone."""
        body = {"accountId": person.account, "redirectUri": CALLBACK, "email": person.email}
        client = self.planting.client(person)
        answer = client.post("/create-ach-relationship-link", body | more)
        assert self.planting.note("plaid", answer).status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        self.net.token("linktoken", told["linkToken"])
        self.net.token("page", urlsplit(told["linkUrl"]).path.rsplit("/", 1)[1])
        return told

    def finish(
        self, person: Person, page: dict[str, Any], *, is_patient: bool = True
    ) -> httpx.Response:
        """Come back from a page, and ask until it is known what came of it, or will come."""
        client, ends = self.planting.client(person), time.monotonic() + 60
        while True:
            body = {"accountId": person.account, "sessionId": page["session_id"]}
            answer = client.post("/process-plaid-token", body)
            is_open = (is_patient and answer.status_code == 202) or answer.status_code == 409
            if not is_open or time.monotonic() > ends:
                return answer
            time.sleep(0.3)

    def link(self, person: Person) -> httpx.Response:
        page = self.page(person)
        self.sandbox.sign_in(page["linkUrl"])
        return self.finish(person, page)

    def fail_in_every_way(self, person: Person) -> None:
        """Sign in again and again: Plaid and the broker refuse, and quote what they were sent."""
        client = self.planting.client(person)
        body = {"accountId": person.account, "redirectUri": CALLBACK, "email": person.email}
        self.fault("plaid", "quote", "^/link/token/create$")
        answer = client.post("/create-ach-relationship-link", body)
        self.planting.note("page, quote", answer)
        for what, (vendor, fault, path) in FAILURES.items():
            page = self.page(person)
            self.fault(vendor, fault, path.format(account=person.account))
            self.sandbox.sign_in(page["linkUrl"])
            self.planting.note(what, self.finish(person, page))
        page = self.page(person)
        for vendor, fault, path in DELAYS.values():
            self.fault(vendor, fault, path)
        self.sandbox.sign_in(page["linkUrl"])
        self.planting.note("sign in at last", self.finish(person, page))

    def not_hear_of_it(self, person: Person) -> None:
        """The broker takes the token of the bank and does not say so; the sweep finds out."""
        page = self.page(person)
        self.fault("alpaca_broker", "hang", f"/{person.account}/ach_relationships$")
        self.sandbox.sign_in(page["linkUrl"])
        answer = self.finish(person, page, is_patient=False)
        self.planting.note("bank, unheard token", answer)

    def bring_tokens(self, person: Person, other: Person) -> None:
        """Bring what the browser was given: twice, for somebody else, and where it is not due."""
        client, stranger = self.planting.client(person), self.planting.client(other)
        token = self._public_token()
        body = {"accountId": person.account, "publicToken": token}
        self.planting.note("bring", client.post("/process-plaid-token", body))
        self.planting.note("bring again", client.post("/process-plaid-token", body))
        theirs = body | {"accountId": other.account}
        self.planting.note("bring theirs", stranger.post("/process-plaid-token", theirs))
        for strange in (
            {"publicToken": self._public_token(), "sessionId": token},
            {"publicToken": [token], "plaidAccountId": token * 3},
            {"sessionId": token},
            {"publicToken": "", "public_token": {"token": token}},
        ):
            answer = client.post("/process-plaid-token", {"accountId": person.account} | strange)
            self.planting.note("bring nonsense", answer)
        for path in (f"/process-plaid-token?token={token}", f"/get-ach-relationships/{token}"):
            client.get(path)

    def _public_token(self) -> str:
        """Have a token made as the browser is given one."""
        body = {"institution_id": "ins_56", "initial_products": ["auth"]}
        keys = {"client_id": "sandbox-client", "secret": "sandbox-secret"}
        url = f"{self.sandbox.url}/plaid/sandbox/public_token/create"
        answer = httpx.post(url, json=body | keys, trust_env=False, timeout=60).raise_for_status()
        return self.net.token("publictoken", answer.json()["public_token"])

    # Living with a bank

    def be_locked_out(self, person: Person) -> None:
        """The bank wants to be signed in to again; then the customer wants another bank."""
        client, bank = self.planting.client(person), self._bank(person)
        query = "SELECT item_id FROM funding_plaiditem WHERE user_id = %s"
        item_id = self.until(query, person.user_id)
        self.sandbox.control("POST", f"/items/{item_id}", {"login": "required"})
        self.fault("plaid", "quote", "^/link/token/create$")
        body = {"accountId": person.account, "redirectUri": CALLBACK, "relationshipId": bank}
        answer = client.post("/create-ach-relationship-link", body)
        self.planting.note("page, quote", answer)
        page = self.page(person, relationshipId=bank)
        self.sandbox.sign_in(page["linkUrl"], account=None)
        self.planting.note("sign in anew", self.finish(person, page))
        self.fault("plaid", "quote", "^/item/remove$")
        path = f"/api/account/{person.account}/ach-relationships/{bank}"
        self.planting.note("remove", client.ask("DELETE", path))

    def _bank(self, person: Person) -> str:
        told = self.planting.client(person).until(
            f"/get-ach-relationships?accountId={person.account}",
            lambda told: any(each["status"] == "APPROVED" for each in told["relationships"]),
        )
        return str(told["relationships"][0]["id"])

    def lose_money(self, person: Person) -> None:
        """The bank takes a deposit back, and another one is lost on the way to the broker."""
        client, bank = self.planting.client(person), self._bank(person)
        body = {"accountId": person.account, "relationshipId": bank, "amount": "50.00"}
        self.sandbox.fault(
            kind="return_transfer", vendor="alpaca_broker", variant="R01", path=person.account
        )
        answer = client.post("/initiate-ach-transfer", body)
        returned = self.planting.note("deposit, returned", answer).json()["id"]
        path = f"/{person.account}/transfers$"
        hang = {"kind": "hang", "seconds": 30.0, "method": "POST", "path": path}
        self.sandbox.fault(**hang, vendor="alpaca_broker")
        answer = client.post("/initiate-ach-transfer", body | {"amount": "51.00"})
        self.lost_transfer = self.planting.note("deposit, lost", answer).json()["id"]
        client.until(
            f"/api/account/{person.account}/transfers/{returned}",
            lambda told: told["status"] == "RETURNED",
        )

    def drift(self, person: Person) -> None:
        """The broker's books come to differ from ours, which the ledger notices."""
        change = {"change": "12.34"}
        self.sandbox.control("POST", f"/accounts/{person.account}/cash", change)
        self.compare(person)

    def compare(self, person: Person) -> None:
        """Have a worker compare an account's books now, as an impatient beat would."""
        query = "SELECT id FROM accounts_brokerageaccount WHERE user_id = %s"
        arguments = {"account_id": str(self.until(query, person.user_id))}
        with Celery(
            broker=published(self.planting.clera)["REDIS_URL"], set_as_current=False
        ) as app:
            app.send_task("ledger.compare_account", kwargs=arguments, queue="money")

    def open_drift(self, person: Person) -> str:
        """Let time pass, so that a difference that is still there is believed."""
        query = "SELECT id FROM ledger_drift WHERE user_id = %s"
        found: str = self.until(query, person.user_id)
        with psycopg.connect(published(self.planting.clera)["DATABASE_URL"]) as owner:
            owner.execute("UPDATE ledger_drift SET created_at = created_at - interval '1 hour'")
        self.compare(person)
        self.until(f"{query} AND state = 'OPEN'", person.user_id)
        return found

    # Webhooks

    def forge(self) -> None:
        """Send what Plaid has not signed, and signed nonsense; all of it is full of words."""
        word, url = self.net.word, f"{self.planting.url}/webhook/plaid"
        told = {
            "webhook_type": "LINK",
            "webhook_code": "SESSION_FINISHED",
            "status": "SUCCESS",
            "link_session_id": self.net.token("linksession", f"session-{time.time_ns()}"),
            "link_token": self._public_token().replace("public", "link"),
            "public_tokens": [self._public_token()],
            "note": word("webhooknote"),
            "environment": "sandbox",
        }
        body, broken = json.dumps(told), f'{{"link_token": "{word("webhookbroken")}'
        old = int(time.time()) - 3600
        for what, text, signature in (
            ("webhook, kept", body, self._sign(body)),
            ("webhook, broken", broken, self._sign(broken)),
            ("webhook, old", body, self._sign(body, issued_at=old)),
            ("webhook, altered", f"{body} ", self._sign(body)),
            ("webhook, unsigned", body, word("signature")),
        ):
            client = Client(self.planting.url, self.planting.answers)
            headers = {"Plaid-Verification": signature, "Content-Type": "application/json"}
            answer = client.ask("POST", "/webhook/plaid", content=text, headers=headers)
            self.planting.note(what, answer)
        httpx.post(f"{url}?token={word('webhookquery')}", content=body, trust_env=False, timeout=60)

    def _sign(self, body: str, **more: int) -> str:
        told = self.sandbox.control("POST", "/webhooks/signed", {"body": body, **more})
        return self._note_signature(told["verification"])

    def _note_signature(self, signature: str) -> str:
        if "signature" not in self.net.planted:
            self.net.secret("signature", signature.partition(".")[0])  # all of them begin so
        return signature

    # Afterwards

    def _items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.control("GET", "/items")["items"]
        return found

    def look_for_all(self) -> None:
        """Make canaries of all that the vendors know, whether or not the product was told."""
        net = self.net
        net.shapes()
        items = self._items()
        net.number("plaidnumber", items[0]["account_numbers"][0])
        for item in items:
            net.token("accesstoken", item["access_token"])
            for token in item["processor_tokens"]:
                net.token("processortoken", token)
            for number in item["account_numbers"]:
                net.token("plaidnumber", number)
        net.secret("webhookbody", '"link_session_id"')
        for delivery in self.sandbox.control("GET", "/webhooks")["webhooks"]:
            self._look_for_webhook(delivery)

    def _look_for_webhook(self, delivery: dict[str, Any]) -> None:
        told = json.loads(delivery["body"])
        for token in told.get("public_tokens", []):
            self.net.token("publictoken", token)
        if "link_session_id" in told:
            self.net.token("linksession", told["link_session_id"])
        if delivery["verification"]:
            self._note_signature(delivery["verification"])

    def until(self, query: str, *values: str, seconds: float = 90) -> Any:
        """Ask the database until it gives a row, and return its first column."""
        ends = time.monotonic() + seconds
        with psycopg.connect(published(self.planting.clera)["DATABASE_URL"]) as owner:
            owner.autocommit = True
            while time.monotonic() < ends:
                if row := owner.execute(query, values).fetchone():
                    return row[0]
                time.sleep(0.2)
        raise AssertionError(f"never so: {query}")
