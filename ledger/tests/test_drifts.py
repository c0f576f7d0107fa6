from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.differences import NotOpen, NotProposed
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.tests.staff_people import member, signed_in
from ledger import services
from ledger.models import Drift, Entry
from ledger.services import drifts
from ledger.tests.factories import (
    book_of,
    cash_of,
    drifts_of,
    entries_of,
    movement,
    pass_time,
    post,
    same_time,
)

pytestmark = pytest.mark.django_db
ANN, BEN = Principal.staff(1), Principal.staff(2)
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _same_time():
    yield
    same_time()


def compare(account, *, after=0):
    at = datetime.now(UTC) + timedelta(seconds=after)
    return services.compare_account(account_id=account.pk, at=at)


def of_balance(account, books, change="12.34"):
    """An account whose cash at the broker nobody has explained."""
    post(movement(account, "DEPOSIT", "100.00", occurred_at=NOW))
    books.cash[account.broker_account_id] = Decimal(100) + Decimal(change)
    compare(account)
    compare(account, after=61)
    [drift] = drifts_of(account)
    return drift


def of_entry(account, books):
    """An account with a deposit that the broker never booked."""
    compare(account)
    post(movement(account, "DEPOSIT", "5.00", "TRANSFER"))
    pass_time(86_401)
    for after in (0, 61):
        compare(account, after=after)
    return next(drift for drift in drifts_of(account) if drift.kind == "NOT_AT_BROKER")


def reload(drift):
    with acting_as(SYSTEM):
        return Drift.objects.get(pk=drift.pk)


def propose(drift, remedy="ADJUST", *, by=ANN, note="Ticket 4711"):
    return drifts.propose(staff=by, drift_id=drift.pk, remedy=remedy, note=note, at=NOW)


def resolve(drift, *, by=BEN):
    return drifts.resolve(staff=by, drift_id=drift.pk, at=NOW)


def deeds(account):
    with acting_as(SYSTEM):
        entries = AuditEntry.objects.filter(user_id=account.user_id, action__startswith="drift.")
        return [(entry.action, entry.principal) for entry in entries.order_by("pk")]


class TestSettling:
    def test_a_difference_is_booked_once_two_people_agree(self, account, books):
        drift = of_balance(account, books)
        propose(drift)
        assert cash_of(account).total == 100

        resolve(drift)

        assert cash_of(account).total == Decimal("112.34")
        found = reload(drift)
        assert (found.state, found.resolved_by) == ("RESOLVED", "staff:2")
        with acting_as(SYSTEM):
            booked = found.adjustment
            assert (booked.kind, booked.told_by()) == ("ADJUSTMENT", ["OPERATOR"])
        assert deeds(account) == [("drift.proposed", "staff:1"), ("drift.resolved", "staff:2")]
        assert compare(account).difference == 0
        assert cash_of(account).is_complete

    def test_nobody_settles_what_they_have_proposed(self, account, books):
        drift = of_balance(account, books)
        propose(drift)

        with pytest.raises(drifts.SamePerson):
            resolve(drift, by=ANN)
        assert reload(drift).state == "PROPOSED"
        assert cash_of(account).total == 100

    def test_an_explained_difference_does_not_come_back_unless_it_changes(self, account, books):
        drift = of_balance(account, books)
        propose(drift, "EXPLAINED")
        resolve(drift)

        compare(account, after=200)
        assert [each.state for each in drifts_of(account)] == ["RESOLVED"]
        assert cash_of(account).is_complete
        assert book_of(account).explained == Decimal("12.34")

        books.cash[account.broker_account_id] += 1
        compare(account, after=300)
        assert [each.difference for each in drifts_of(account)] == [
            Decimal("12.34"),
            Decimal("13.34"),
        ]

    def test_one_that_was_gone_meanwhile_is_news_when_it_comes_back(self, account, books):
        drift = of_balance(account, books)
        propose(drift, "EXPLAINED")
        resolve(drift)
        for change, after in ((Decimal("-12.34"), 200), (Decimal("12.34"), 300)):
            books.cash[account.broker_account_id] += change
            compare(account, after=after)

        assert [each.state for each in drifts_of(account)] == ["RESOLVED", "SUSPECTED"]

    def test_an_entry_that_the_broker_has_booked_meanwhile_is_not_taken_back(self, account, books):
        drift = of_entry(account, books)
        propose(drift)
        post(movement(account, "DEPOSIT", "5.00", "ACTIVITY"))

        with pytest.raises(drifts.Moved):
            resolve(drift)
        assert cash_of(account).total == 5
        books.cash[account.broker_account_id] = Decimal(5)
        compare(account, after=100)
        assert reload(drift).state == "HEALED"

    def test_an_entry_is_not_taken_back_after_the_whole_difference_was_booked(self, account, books):
        of_entry(account, books)
        by_kind = {drift.kind: drift for drift in drifts_of(account)}
        for drift in by_kind.values():
            propose(drift)

        resolve(by_kind["BALANCE"])

        assert cash_of(account).total == 0
        with pytest.raises(NotProposed):
            resolve(by_kind["NOT_AT_BROKER"])
        assert reload(by_kind["NOT_AT_BROKER"]).state == "OPEN"

    def test_a_figure_that_has_moved_since_is_not_booked(self, account, books):
        drift = of_balance(account, books)
        propose(drift)
        post(movement(account, "DEPOSIT", "1.00", occurred_at=NOW - timedelta(days=20)))

        with pytest.raises(drifts.Moved):
            resolve(drift)

        assert cash_of(account).total == 101
        assert book_of(account).due_at <= datetime.now(UTC) + timedelta(seconds=1)

    def test_a_proposal_falls_when_the_difference_changes(self, account, books):
        drift = of_balance(account, books)
        propose(drift)
        books.cash[account.broker_account_id] += 1
        compare(account, after=100)

        found = reload(drift)
        assert (found.state, found.difference, found.proposed_by) == ("OPEN", Decimal("13.34"), "")
        with pytest.raises(NotProposed):
            resolve(drift)

    def test_an_entry_that_the_broker_never_had_is_taken_back(self, account, books):
        drift = of_entry(account, books)
        propose(drift)
        resolve(drift)

        assert cash_of(account).total == 0
        compare(account, after=100)
        with acting_as(SYSTEM):
            assert not Drift.objects.unsettled().exists()

    def test_an_explained_entry_stays_as_it_is(self, account, books):
        drift = of_entry(account, books)
        propose(drift, "EXPLAINED")
        resolve(drift)
        compare(account, after=100)

        assert cash_of(account).total == 5
        states = [each.state for each in drifts_of(account) if each.kind == "NOT_AT_BROKER"]
        assert states == ["RESOLVED"]

    def test_a_proposal_can_be_withdrawn(self, account, books):
        drift = of_balance(account, books)
        propose(drift)
        drifts.withdraw_proposal(staff=BEN, drift_id=drift.pk, note="Wrong ticket", at=NOW)

        found = reload(drift)
        assert (found.state, found.remedy, found.proposed_by) == ("OPEN", "", "")


class TestRefusals:
    @pytest.mark.parametrize(("remedy", "note"), [("ADJUST", " "), ("SHRUG", "why")])
    def test_a_proposal_says_what_and_why(self, account, books, remedy, note):
        drift = of_balance(account, books)

        with pytest.raises(Invalid) as refused:
            propose(drift, remedy, note=note)
        assert set(refused.value.field_errors) <= {"remedy", "note"}
        assert reload(drift).state == "OPEN"

    def test_what_is_only_suspected_is_not_settled(self, account, books):
        books.cash[account.broker_account_id] += 1
        compare(account)
        [drift] = drifts_of(account)

        with pytest.raises(NotOpen):
            propose(drift)

    def test_what_only_the_broker_tells_is_in_both_books(self, account, books):
        compare(account)
        books.book(account.broker_account_id, "CSD", "5.00")
        pass_time(0)
        compare(account)
        pass_time(86_401)
        compare(account)
        compare(account, after=61)
        [drift] = drifts_of(account)

        with pytest.raises(Invalid):
            propose(drift)
        assert propose(drift, "EXPLAINED").state == "PROPOSED"

    def test_what_does_not_exist_is_not_found(self, db):
        for act in (
            lambda: drifts.propose(staff=ANN, drift_id=new_id(), remedy="ADJUST", note="x", at=NOW),
            lambda: drifts.resolve(staff=ANN, drift_id=new_id(), at=NOW),
            lambda: drifts.ask_for_comparison(staff=ANN, account_id=new_id()),
        ):
            with pytest.raises(NotFound):
                act()


ROLES = ("", "viewer", "operator", "approver", "superuser")
OPERATORS = {"operator", "approver", "superuser"}
APPROVERS = {"approver", "superuser"}
PAGES = {
    "propose": ({"remedy": "ADJUST", "note": "Ticket 1"}, OPERATORS, "PROPOSED"),
    "approve": ({}, APPROVERS, "RESOLVED"),
    "withdraw": ({"note": "Ticket 1"}, OPERATORS, "OPEN"),
    "compare": ({}, OPERATORS, None),
}


def page_of(drift, deed="change"):
    return f"/admin/ledger/drift/{drift.pk}/{deed}/"


def standing(account, books, deed):
    drift = of_balance(account, books)
    return drift if deed == "propose" else propose(drift, by=Principal.staff(0))


@pytest.mark.usefixtures("books")
class TestThePages:
    @pytest.mark.parametrize("deed", PAGES)
    @pytest.mark.parametrize("role", ROLES)
    def test_each_deed_is_for_its_roles(self, account, books, role, deed):
        sent, allowed, state = PAGES[deed]
        drift = standing(account, books, deed)
        before, client = reload(drift).state, signed_in(member("ann", role))

        page = client.get(page_of(drift)).content.decode()
        answers = (client.get(page_of(drift, deed)), client.post(page_of(drift, deed), sent))

        assert (page_of(drift, deed) in page) == (role in allowed)
        if role in allowed:
            assert [answer.status_code for answer in answers] == [200, 302]
            assert reload(drift).state == (state or before)
        else:
            assert [answer.status_code for answer in answers] == [403, 403]
            assert reload(drift).state == before

    def test_a_second_person_is_asked_for(self, account, books):
        drift = of_balance(account, books)
        client = signed_in(member("ann", "approver"))
        client.post(page_of(drift, "propose"), PAGES["propose"][0])

        answer = client.post(page_of(drift, "approve"))

        assert answer.status_code == 200
        assert "Somebody else" in answer.content.decode()
        assert reload(drift).state == "PROPOSED"

    def test_both_figures_stand_side_by_side(self, account, books):
        drift = of_balance(account, books)
        client = signed_in(member("ann", "viewer"))

        for url in ("/admin/ledger/drift/", page_of(drift)):
            page = client.get(url).content.decode()
            assert "112.34" in page
            assert "100.00" in page

    def test_entries_and_books_are_shown_and_never_changed(self, account, books):
        of_balance(account, books)
        client = signed_in(member("ann", "superuser"))
        [entry] = entries_of(account)
        urls = [
            "/admin/ledger/entry/",
            "/admin/ledger/entry/?kind__exact=DEPOSIT&side=BANK&age=under-1d",
            f"/admin/ledger/entry/{entry.pk}/change/",
            "/admin/ledger/ledgerbook/",
            "/admin/ledger/ledgerbook/?agrees=never",
            f"/admin/ledger/ledgerbook/{account.pk}/change/",
            "/admin/ledger/drift/?turn=operator",
        ]

        for url in urls:
            assert client.get(url).status_code == 200, url
        assert client.get("/admin/ledger/entry/add/").status_code == 403
        assert client.post(f"/admin/ledger/entry/{entry.pk}/delete/").status_code == 403

    def test_entries_and_differences_are_taken_out_as_csv(self, account, books):
        drift = of_balance(account, books)
        [entry] = entries_of(account)
        client = signed_in(member("ann", "viewer"))

        for row, figure in ((entry, "100.00"), (drift, "12.34")):
            body = {"action": "export_csv", "_selected_action": [str(row.pk)]}
            answer = client.post(f"/admin/ledger/{row._meta.model_name}/", body)
            _, line, *_ = b"".join(answer.streaming_content).decode().splitlines()
            assert str(row.pk) in line
            assert figure in line

    def test_the_first_page_counts_what_waits(self, account, books):
        of_balance(account, books)
        page = signed_in(member("ann", "operator")).get("/admin/").content.decode()

        assert "/admin/ledger/drift/?state__exact=OPEN" in page

    def test_a_stranger_is_sent_to_the_door(self, account, books):
        drift = of_balance(account, books)

        assert Client().post(page_of(drift, "propose")).status_code == 302
        assert reload(drift).state == "OPEN"
        with acting_as(SYSTEM):
            assert Entry.objects.count() == 1
