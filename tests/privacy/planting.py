"""A day on which everything personal is said, and the broker fails in every way it can."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psutil
import psycopg

from tests.e2e.running import Running
from tests.privacy.canaries import Net
from tests.privacy.clients import Answers, Client, Listener, manage, published
from tests.privacy.people import Numbers, Person

# How a vendor can fail, with the work done or not.
FAULTS: dict[str, dict[str, Any]] = {
    "hang": {"kind": "hang_after_accept", "seconds": 30},
    "gateway": {"kind": "after_accept_status", "status": 504},
    "page": {"kind": "garbage_after_accept", "variant": "html"},
    "half": {"kind": "garbage_after_accept", "variant": "json"},
    "reset": {"kind": "reset_before"},
    "busy": {"kind": "status", "status": 503},
    "quote": {"kind": "quote"},
}
_INTENTS = (
    "accounts_brokerageaccount", "accounts_contactchange", "accounts_documentupload",
    "funding_achrelationship", "funding_bankremoval", "funding_transfer", "trading_order",
)  # fmt: skip


class Planting:
    """Says every canary to the product; `url` is the web process that hears them."""

    def __init__(self, clera: Running, url: str, net: Net) -> None:
        self.clera, self.url, self.net = clera, url, net
        self.answers = Answers()
        self.numbers = Numbers(net)
        self.statuses: dict[str, int] = {}

    def note(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.statuses[what] = answer.status_code
        return answer

    def fault(self, name: str, path: str, method: str = "POST") -> None:
        """Have the broker fail once at this call."""
        body = {**FAULTS[name], "vendor": "alpaca_broker", "method": method, "path": path}
        url = f"{self.clera.sandbox}/_control/faults"
        httpx.post(url, json=body, trust_env=False, timeout=60).raise_for_status()

    def end(self) -> None:
        """Leave the vendors without faults, and hang up."""
        httpx.delete(f"{self.clera.sandbox}/_control/faults", trust_env=False)
        self.answers.close()

    # Who

    def person(self, name: str) -> Person:
        person = Person(self.net, self.numbers, name)
        person.token = self.clera.token(person.user_id, person.email)
        self.net.secret("token", person.token.rsplit(".", 1)[1])
        return person

    def client(self, person: Person, url: str = "") -> Client:
        headers = {"Authorization": f"Bearer {person.token}"}
        return Client(url or self.url, self.answers, **headers)

    # Opening an account

    def apply(self, person: Person, form: Any = None, url: str = "") -> httpx.Response:
        body = {"userId": person.user_id, "alpacaData": form or person.application()}
        return self.client(person, url).post("/create-alpaca-account", body)

    def open_accounts(self, names: list[str]) -> list[Person]:
        """Open accounts at once and wait until the broker has approved them."""
        people = [self.person(name) for name in names]
        with ThreadPoolExecutor(len(people)) as pool:
            for answer in pool.map(self.apply, people):
                assert self.note("apply", answer).status_code == 201, answer.text
        for person in people:
            told = self.client(person).until(
                "/api/me", lambda me: me["accounts"] and me["accounts"][0]["status"] == "ACTIVE"
            )
            person.account = told["accounts"][0]["id"]
        return people

    def apply_in_every_way(self, ada: Person) -> None:
        """Apply while the broker fails, twice, from abroad, and as a boss whom it doubts."""
        again, stranger = self.person("again"), self.person("stranger")
        self._open_elsewhere(stranger)
        for fault in FAULTS:
            self.fault(fault, "^/v1/accounts$")
            self.note(f"apply, {fault}", self.apply(self.person(f"new{fault}")))
        form = again.application()
        form["contact"]["email_address"] = ada.email.swapcase()
        self.note("apply, address taken here", self.apply(again, form))
        self.note("apply twice", self.apply(ada))
        self.note("apply, address taken there", self.apply(stranger))
        abroad, boss = self.person("abroad"), self.person("boss")
        self.note("apply from abroad", self.apply(abroad, abroad.foreign_application()))
        self.note("apply as a boss", self.apply(boss, boss.application(is_boss=True)))

    def _open_elsewhere(self, person: Person) -> None:
        """Let the broker have the address from somebody else than us."""
        signed = {"signed_at": "2026-01-01T00:00:00Z", "ip_address": "127.0.0.1"}
        form = person.application()
        form["agreements"] = [{"agreement": "customer_agreement", **signed}]
        url = f"{self.clera.sandbox}/alpaca/broker/v1/accounts"
        auth = ("CKSANDBOX", "sandbox-secret")
        httpx.post(url, json=form, auth=auth, trust_env=False, timeout=60).raise_for_status()

    def apply_to_a_dying_process(self, url: str) -> None:
        """The process that took the application dies before it sends it."""
        with suppress(httpx.TransportError):
            self.apply(self.person("orphan"), url=url)

    # Living with it

    def live(self, ada: Person) -> None:
        """Do everything once that works, and watch it."""
        client, account = self.client(ada), ada.account
        listeners = [
            Listener(self.url, f"/ws/{path}/{account}?token={ada.token}", self.answers)
            for path in ("portfolio", "account")
        ]
        self.note("look", client.get(f"/api/account/{account}/pii"))
        self.note("move", client.ask("PATCH", f"/api/account/{account}/pii", json=ada.move()))
        self.note("upload", self.upload(client, ada))
        self.note("bank", client.post("/create-ach-relationship-manual", ada.bank()))
        self.note("deposit", self._deposit(client, account))
        self.note("chat", client.post("/api/chat", self.question(account)))
        client.until(f"/api/account/{account}/balance", lambda told: told["data"]["cash"] > 0)
        self.note("trade", self._trade(client, account))
        self.note("sync", client.post(f"/api/account/{account}/status/sync", {}))
        for path in ("pii", "status", "status/history", "documents", "events", "transfers"):
            self.note(f"read {path}", client.get(f"/api/account/{account}/{path}"))
        self.note("conversations", client.get("/api/conversations"))
        for listener in listeners:
            listener.say(f'{{"type": "{self.net.word("frame")}", "ssn": "{self.numbers.ssn}"}}')
            listener.close()

    def upload(self, client: Client, person: Person) -> httpx.Response:
        path = f"/api/account/{person.account}/documents/upload"
        return client.post(path, person.document())

    def _deposit(self, client: Client, account: str, fault: str = "") -> httpx.Response:
        found = client.until(
            f"/get-ach-relationships?accountId={account}",
            lambda told: any(each["status"] == "APPROVED" for each in told["relationships"]),
        )
        if fault:
            self.fault(fault, f"/{account}/transfers$")
        bank = found["relationships"][0]["id"]
        body = {"accountId": account, "relationshipId": bank, "amount": "500.00"}
        return client.post("/initiate-ach-transfer", body)

    def _trade(self, client: Client, account: str) -> httpx.Response:
        body = {"account_id": account, "ticker": "VTI", "side": "BUY", "notional_amount": 5}
        return client.post("/api/trade", body)

    def question(self, account: str) -> dict[str, Any]:
        """Say in a conversation what nobody should."""
        said = f"I am {self.net.word('chat')}, {self.numbers.said}. What is my portfolio worth?"
        return {"user_input": said, "account_id": account}

    def fail(self, person: Person, fault: str) -> None:
        """Send all that goes to the broker while it fails in one way."""
        client, account = self.client(person), person.account
        if fault in {"reset", "busy"}:  # the bank is there after all, so money can move
            self.note("bank", client.post("/create-ach-relationship-manual", person.bank()))
            self.note(f"deposit, {fault}", self._deposit(client, account, fault))
        else:
            self.fault(fault, f"/{account}/ach_relationships$")
            answer = client.post("/create-ach-relationship-manual", person.bank())
            self.note(f"bank, {fault}", answer)
        self.fault(fault, f"/{account}/documents/upload$")
        self.note(f"upload, {fault}", self.upload(client, person))
        self.fault(fault, f"^/v1/accounts/{account}$", method="PATCH")
        path = f"/api/account/{account}/pii"
        self.note(f"move, {fault}", client.ask("PATCH", path, json=person.move()))

    def be_talked_about(self, person: Person) -> None:
        """The broker writes down in words what its checks have found."""
        remark = f"Name {self.net.word('kycname')} differs, tax id {self.numbers.checked}."
        found = {"IDENTITY_VERIFICATION": {"detail": self.net.word("kycdetail")}}
        body = {
            "status": "ACTION_REQUIRED",
            "reason": remark,
            "kyc_results": {"reject": found, "additional_information": remark},
        }
        url = f"{self.clera.sandbox}/_control/accounts/{person.account}/status"
        httpx.post(url, json=body, trust_env=False, timeout=60).raise_for_status()
        self.client(person).until(
            f"/api/account/{person.account}/status",
            lambda told: told["data"]["requirements"] == ["IDENTITY_VERIFICATION"],
        )

    def use_a_key(self, ada: Person) -> None:
        """A service of ours looks at the customer."""
        scopes = ("--scope", "accounts:read", "--scope", "portfolio:read", "--scope", "act_for")
        made = manage(self.clera, "api_key", "create", "--label", "a", "--owner", "tests", *scopes)
        key = self.net.secret("apikey", made.rsplit("_", 1)[1])
        assert len(key) > 20
        service = Client(self.url, self.answers, **{"X-API-Key": made, "X-Act-For": ada.user_id})
        self.note("service", service.get("/api/me"))
        path = f"/ws/account/{ada.account}?token={made}&act_for={ada.user_id}"
        Listener(self.url, path, self.answers).close()

    # Surviving it

    def kill_the_worker(self) -> None:
        """The worker that sends what got lost is killed; it is started again by itself."""
        for child in psutil.Process(self.clera.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "money,default" in child.cmdline():
                    child.send_signal(signal.SIGKILL)

    def wait_until_settled(self, seconds: float) -> dict[str, int]:
        """Have the sweeps look up at once what got lost, and count what became of everything."""
        url, ends = published(self.clera)["DATABASE_URL"], time.monotonic() + seconds
        states = " UNION ALL ".join(f"SELECT state FROM {table}" for table in _INTENTS)
        with psycopg.connect(url, autocommit=True) as owner:
            while True:
                for table in _INTENTS:
                    owner.execute(f"UPDATE {table} SET due_at = now() WHERE state = 'UNKNOWN'")
                found = owner.execute(f"SELECT state, count(*) FROM ({states}) AS s GROUP BY 1")
                counted: dict[str, int] = dict(found.fetchall())
                if not {"PENDING", "SENDING", "UNKNOWN"} & set(counted) or time.monotonic() > ends:
                    return counted
                time.sleep(1)
