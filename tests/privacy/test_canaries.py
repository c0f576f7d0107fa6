"""
Nothing personal is found outside of the columns in which it rests sealed.

A whole product is told everything there is to tell of a customer, in good days and bad ones; then
every place is searched in which data can rest or pass by. What may be found where is listed, and
why; an entry that nothing needs any more is an error too.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core import crypto
from core.db import sealed
from tests.e2e.running import Running
from tests.privacy import mistakes, sinks
from tests.privacy.banking import FAILURES, Banking
from tests.privacy.canaries import Hit, Net, scan
from tests.privacy.clients import data_of_postgres, manage, published, web
from tests.privacy.desk import Desk
from tests.privacy.people import Person
from tests.privacy.planting import FAULTS, Planting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

# As in production, but impatient, and as talkative as an operator may ever make it.
SETTINGS = {
    "LOG_LEVEL": "debug",
    "STAFF_SECOND_FACTOR": "true",
    "VENDOR_TOTAL_SECONDS": "3",
    "INTENT_LEASE_SECONDS": "6",
    "RATE_LIMITS": ",".join(
        f"{name}=6000/minute"
        for name in ("money", "sockets", "sign_up", "refusals", "documents", "write")
    ),
}
PAGES_ALIKE = 2
_SIGNING_IN = ("plaid", "paula", "bruno", "uma")
_EXPORTED = (
    "funding/achrelationship", "funding/transfer", "funding/transferreturn", "ledger/entry",
    "ledger/drift",
)  # fmt: skip
_ID = re.compile(r"[0-9a-f-]{36}|[A-Z]{1,5}|[0-9]{1,6}|None")
_MODELS = (
    "accounts/brokerageaccount", "accounts/contactchange", "accounts/documentupload",
    "core/auditentry", "core/inboxevent", "funding/achrelationship", "funding/bankremoval",
    "funding/linksession", "funding/plaiditem", "funding/transfer", "funding/transferreturn",
    "ledger/drift", "ledger/entry",
)  # fmt: skip


@dataclass(frozen=True)
class Allowance:
    """What may be found where, and why."""

    where: str
    names: str
    why: str

    def covers(self, hit: Hit) -> bool:
        return bool(re.fullmatch(self.where, hit.where) and re.fullmatch(self.names, hit.name))


ALLOWED = [
    Allowance(
        r"answer GET /api/account/\*/pii 200",
        "mail.*|given|middle|family|born|(new|trusted)?(street|phone|city|mail|given|family)"
        "|newtrusted|yard|unit|employer|office|position",
        "customers may read what the broker knows of them; not their tax id",
    ),
    Allowance(
        r"table public\.chat_(message|conversation)|disk .*|answer GET /api/conversations 200",
        "chat|said",
        "what customers write in a conversation is theirs, and they read it again",
    ),
    Allowance("prompt .*", "chat|said", "the model answers what customers ask, in their words"),
    Allowance(
        "answer POST /create-ach-relationship-link 200",
        "linktoken|linkshape|page",
        "the token and the page are for the customer's browser, and are kept nowhere in clear",
    ),
    Allowance(
        "answer GET /api/schema/ 200",
        "(link|public)shape|webhookbody",
        "the examples of the documentation are no token of anybody",
    ),
    Allowance(
        "answer GET /admin/second-factor/set-up/ 200",
        "secondfactor",
        "whoever sets up a second factor types the secret into their app once",
    ),
    Allowance(
        "answer (GET|POST) /admin/login/ 200",
        "mail.*|wrongname",
        "a form shows to whoever sent it the way back, and the name that was typed",
    ),
]


@dataclass
class Day:
    """What was done, and what the search has found afterwards."""

    net: Net
    planting: Planting
    found: dict[str, list[Hit]] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    exported: dict[str, int] = field(default_factory=dict)

    def told(self, what: str, status: int) -> bool:
        """Say whether all such requests were answered so, and whether there were any."""
        statuses = self.planting.statuses
        told = {name: code for name, code in statuses.items() if re.fullmatch(what, name)}
        assert told == dict.fromkeys(told, status)
        return bool(told)

    def search(self, name: str, sink: sinks.Sink) -> None:
        places = list(sink)
        self.sizes[name] = sum(len(data) for _, data in places)
        self.found[name] = scan(self.net, places)


@pytest.fixture(scope="module")
def day(clera: Running, tmp_path_factory: pytest.TempPathFactory) -> Day:
    logs = tmp_path_factory.mktemp("logs")
    where, net, began = published(clera), Net(), time.time()
    dying = SETTINGS | {"CLERA_FAILPOINT": "intent.leased"}
    with (
        sinks.commands_of(where["REDIS_URL"]) as commands,
        web(clera, logs / "web.log", **SETTINGS) as url,
        web(clera, logs / "dying.log", **dying) as doomed,
    ):
        day = Day(net, Planting(clera, url, net))
        try:
            _spend(day, doomed)
        finally:
            day.planting.end()
        commands.stop()
        day.search("tables", sinks.tables(where["DATABASE_URL"]))
        day.search("disk", sinks.disk(data_of_postgres(clera), since=began))
        day.search("keys", sinks.keys(where["REDIS_URL"]))
        day.tasks = commands.tasks()
        day.search("commands", commands.sink())
    day.search("prompts", sinks.prompts(clera.sandbox))
    day.search("answers", iter(day.planting.answers))
    day.search("logs", _printed(clera.folder.parent / "run.log", logs))
    day.search("files", _files(clera.folder))
    return day


def _spend(day: Day, doomed: str) -> None:
    """Tell everything to everybody; the order leaves the sweeps time to look up what got lost."""
    planting = day.planting
    banking = Banking(planting)
    ada, hope, *others = planting.open_accounts(["ada", "hope", *_SIGNING_IN, *FAULTS])
    signing_in, unlucky = others[: len(_SIGNING_IN)], others[len(_SIGNING_IN) :]
    banking.drift(hope)
    with ThreadPoolExecutor(len(FAULTS) + 1) as pool:
        signed_in = pool.submit(_sign_in, banking, signing_in)
        list(pool.map(planting.fail, unlucky, FAULTS))
        signed_in.result()
    planting.apply_in_every_way(ada)
    planting.apply_to_a_dying_process(doomed)  # now: the sweep that sends it meets no fault
    planting.kill_the_worker()
    planting.be_talked_about(unlucky[0])
    planting.live(ada)
    planting.use_a_key(ada)
    day.codes = mistakes.fill_every_body(planting, ada)
    mistakes.ask_strangely(planting, ada)
    mistakes.break_our_own(planting, hope)
    with ThreadPoolExecutor(2) as pool:
        settled = pool.submit(planting.wait_until_settled, seconds=90)
        coming = pool.submit(_come_to_work, day, "colleague")
        desk = _come_to_work(day, "officer")
        day.pages = desk.open_everything(alike=PAGES_ALIKE)
        day.states = settled.result()
    _decide(banking, hope, desk, coming.result())
    day.exported = {table: desk.export(f"/admin/{table}/") for table in _EXPORTED}
    banking.look_for_all()


def _sign_in(banking: Banking, people: list[Person]) -> None:
    """Link banks at Plaid; one after the other, as its faults know no customers."""
    plaid, paula, bruno, uma = people
    banking.planting.note("link", banking.link(paula))
    banking.bring_tokens(bruno, plaid)
    banking.not_hear_of_it(uma)
    with ThreadPoolExecutor(1) as pool:
        losing = pool.submit(banking.lose_money, paula)  # at the broker alone
        banking.fail_in_every_way(plaid)
        losing.result()
    banking.be_locked_out(bruno)
    banking.forge()


def _come_to_work(day: Day, role: str) -> Desk:
    planting, name = day.planting, f"{role}-{time.time_ns()}"
    password = manage(planting.clera, "staff", "create", name, "--role", "superuser")
    day.net.secret("password", password)
    desk = Desk(planting.url, day.net, planting.answers)
    assert desk.sign_in(day.net.word("wrongname"), password) == 200
    assert desk.sign_in(name, day.net.word("wrongpassword")) == 200
    assert desk.sign_in(name, password) == 302
    desk.enrol()
    return desk


def _decide(banking: Banking, hope: Person, desk: Desk, colleague: Desk) -> None:
    """Two members of the staff settle a transfer that is lost, and a difference of the books."""
    transfer = f"/admin/funding/transfer/{banking.lost_transfer}"
    assert desk.do(f"{transfer}/dismiss/", reason="Ticket 1") == 302
    assert colleague.do(f"{transfer}/confirm/") == 302
    query = "SELECT state FROM funding_transfer WHERE id = %s AND state <> %s"
    assert banking.until(query, banking.lost_transfer, "NEEDS_REVIEW") == "REJECTED"
    drift = f"/admin/ledger/drift/{banking.open_drift(hope)}"
    assert desk.do(f"{drift}/propose/", remedy="EXPLAINED", note="Ticket 2") == 302
    assert colleague.do(f"{drift}/approve/") == 302


def _printed(run: Path, folder: Path) -> sinks.Sink:
    yield from sinks.lines(run, name="run")
    for path in sorted(folder.iterdir()):
        yield from sinks.lines(path, name=path.stem)


def _files(folder: Path) -> sinks.Sink:
    """Give every file of a run but the pretend vendors' own."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "sandbox" not in path.relative_to(folder).parts:
            yield f"file {path.name}", path.read_bytes()


def _allowance_of(hit: Hit) -> Allowance | None:
    return next((each for each in ALLOWED if each.covers(hit)), None)


class TestTheDay:
    def test_went_as_badly_as_it_was_meant_to(self, day: Day) -> None:
        unsure = "hang|gateway|page|half|reset|busy"
        assert day.told(f"(apply|upload|move|bank|deposit), ({unsure})", 202)
        assert day.told("(apply|upload|move|bank), quote", 422)
        assert day.told("apply, address taken (here|there)|apply twice", 409)
        assert day.told("(apply|upload|move|bank|chat), our fault", 500)

    def test_went_as_badly_at_plaid(self, day: Day) -> None:
        assert day.told("|".join(FAILURES), 422)
        assert day.told("bank, unheard token|deposit, lost", 202)
        assert day.told("bring theirs|bring nonsense|webhook, broken", 400)
        assert day.told("page, quote", 422)
        assert day.told("webhook, (old|altered|unsigned)", 401)
        assert set(FAILURES) <= set(day.planting.statuses)

    def test_went_well_where_it_was_meant_to(self, day: Day) -> None:
        assert day.told("apply|apply from abroad|apply as a boss|upload|bank|deposit|trade", 201)
        assert day.told("look|move|chat|plaid|sync|service|conversations|remove|read .*", 200)
        assert day.told("link|bring|bring again|sign in at last|sign in anew", 201)
        assert day.told("webhook, kept", 200)
        assert all(day.exported[table] > 0 for table in _EXPORTED)
        assert {"PENDING", "SENDING", "UNKNOWN"}.isdisjoint(day.states)
        assert min(day.states["REJECTED"], day.states["NEEDS_REVIEW"]) >= 3

    def test_refused_every_misplaced_word(self, day: Day) -> None:
        assert len(day.codes) > 30
        assert all(400 <= code < 500 for code in day.codes)

    def test_led_through_the_whole_admin(self, day: Day) -> None:
        opened = " ".join(day.pages)

        assert len(day.pages) > 60
        for model in _MODELS:
            assert re.search(rf"/admin/{model}/[^ /]+/change/", opened), model

    def test_planted_everything_that_is_personal(self, day: Day) -> None:
        assert {
            "ssn", "passport", "born", "given", "family", "street", "phone", "newphone", "mailada",
            "trustedgiven", "trustedphone", "employer", "firm", "remark", "bank", "routing",
            "owner", "document", "token", "apikey", "password", "secondfactor", "chat", "said",
            "wrongpassword", "linktoken", "publictoken", "accesstoken", "processortoken", "page",
            "plaidnumber", "webhookbody", "signature", "linksession", "webhooknote",
        } <= day.net.planted  # fmt: skip
        assert all(day.sizes[name] > 1000 for name in day.found)


class TestTheSearch:
    @pytest.mark.parametrize(
        "sink", ["tables", "disk", "keys", "commands", "prompts", "answers", "logs", "files"]
    )
    def test_finds_nothing_personal_in(self, day: Day, sink: str) -> None:
        assert [str(hit) for hit in day.found[sink] if _allowance_of(hit) is None] == []

    def test_needs_every_allowance(self, day: Day) -> None:
        hits = [hit for found in day.found.values() for hit in found]
        used = {allowance.where for hit in hits if (allowance := _allowance_of(hit))}

        assert used == {allowance.where for allowance in ALLOWED}

    def test_finds_ids_alone_in_what_workers_are_told(self, day: Day) -> None:
        assert len(day.tasks) > 10
        for listed, named in day.tasks:
            assert listed == []
            assert all(_ID.fullmatch(str(value)) for value in named.values()), named


class TestWhatIsKept:
    def test_is_all_there_for_whoever_has_the_key(self, day: Day, clera: Running, settings) -> None:
        url, net = published(clera)["DATABASE_URL"], day.net
        with psycopg.connect(url) as owner:
            rows = owner.execute(
                "SELECT id, sealed_profile FROM accounts_brokerageaccount"
                " WHERE sealed_profile <> '' AND email_masked ILIKE %s",
                [f"{net.mark[0]}***@%"],
            ).fetchall()
        label = "accounts.BrokerageAccount"
        opened = b"".join(
            crypto.unseal(kept, bound_to=sealed.place(label, "sealed_profile", key))
            for key, kept in rows
        )

        names = {hit.name for hit in scan(net, [("profiles", opened)])}
        assert {"mailada", "family", "street", "newstreet", "trustedmail", "born", "phone"} <= names
        assert "ssn" not in names

    def test_of_plaids_tokens_opens_with_the_key_alone(self, day: Day, clera: Running) -> None:
        with psycopg.connect(published(clera)["DATABASE_URL"]) as owner:
            rows = owner.execute(
                "SELECT id, sealed_access_token FROM funding_plaiditem"
                " WHERE sealed_access_token IS NOT NULL"
            ).fetchall()
        opened = [
            crypto.unseal(
                kept, bound_to=sealed.place("funding.PlaidItem", "sealed_access_token", key)
            )
            for key, kept in rows
        ]

        assert opened
        for token in opened:
            names = {hit.name for hit in scan(day.net, [("items", token)])}
            assert names == {"accesstoken", "accessshape"}

    def test_at_the_pretend_vendors_has_no_number_of_a_person_or_a_bank(
        self, day: Day, clera: Running
    ) -> None:
        """They may keep what a vendor is told: names, addresses; the rest they only check."""
        store = [(path.name, path.read_bytes()) for path in (clera.folder / "sandbox").iterdir()]

        names = {hit.name for hit in scan(day.net, store)}
        assert "family" in names
        assert "checked" in names  # the broker's own words of them
        assert names.isdisjoint({"ssn", "passport", "bank", "document", "token", "apikey"})
        assert names.isdisjoint({"accesstoken", "processortoken", "plaidnumber", "signature"})
