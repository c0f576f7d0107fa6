"""The audit trail in the admin: whoever asks "who did this?" finds it, and nobody changes it."""

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.html import strip_tags

from core import audit
from core.audit import chain
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Kind, Principal, acting_as, api_keys
from core.backoffice import people, trail
from core.ids import new_id
from core.tests.admin_rows import account_of
from core.tests.staff_people import member, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/core/auditentry/"
KEY = Principal(kind=Kind.SERVICE, key_id="shop")
ADA = Principal(kind=Kind.CUSTOMER, user_id="ada")


@pytest.fixture
def ann():
    return member("ann", "viewer")


@pytest.fixture
def viewer(ann):
    return signed_in(ann)


def found(client, query):
    return [row.action for row in client.get(f"{LIST}?{query}").context["cl"].result_list]


def write(action, principal=SYSTEM, *, kind="accounts.BrokerageAccount", subject="1", **more):
    with acting_as(SYSTEM):
        audit.record(action, principal=principal, subject_kind=kind, subject_id=subject, **more)


@pytest.fixture
def entries(ann):
    staff = Principal.staff(ann.pk)
    write("pii.revealed", staff, user_id="ada", reason="Ticket 4711")
    write("account.frozen", staff, user_id="ada")
    write("document.requested", staff, subject="2", user_id="bob")
    write("auth.acted_for", KEY, kind="", subject="", user_id="bob")
    write("api_key.revoked", staff, kind="core.ApiKey", subject="shop")
    write("staff.signed_in", staff, kind="auth.User", subject=str(ann.pk))
    write("row.changed", ADA, kind="funding.Transfer", subject="3", user_id="ada")
    write("audit.verified", "manage.py", kind="core.AuditLink", subject="chain")


class TestFinding:
    @pytest.mark.parametrize(
        ("query", "actions"),
        [
            ("deed=looks", ["pii.revealed"]),
            ("deed=staff", ["document.requested", "account.frozen"]),
            ("deed=delegation", ["auth.acted_for"]),
            ("deed=keys", ["api_key.revoked"]),
            ("deed=trail", ["audit.verified"]),
            ("deed=rows", ["row.changed"]),
            ("who=service", ["auth.acted_for"]),
            ("who=customer", ["row.changed"]),
            ("who=system", []),
            ("about=funding", ["row.changed"]),
            ("about=core.ApiKey", ["api_key.revoked"]),
            ("about=auth.User&deed=members&who=staff", ["staff.signed_in"]),
            ("about=accounts", ["document.requested", "account.frozen", "pii.revealed"]),
            ("q=2", ["document.requested"]),
            ("q=ada", ["row.changed", "account.frozen", "pii.revealed"]),
            ("q=nobody", []),
            ("q=ada&deed=looks", ["pii.revealed"]),
        ],
    )
    def test_filters_and_searches_find_exactly_it(self, viewer, entries, query, actions):
        assert found(viewer, query) == actions

    def test_a_request_id_finds_what_was_done_in_it(self, viewer):
        with structlog.contextvars.bound_contextvars(request_id="req-7"):
            write("one")
            write("two")
        write("three")

        assert found(viewer, "q=req-7") == ["two", "one"]

    def test_the_age_finds_what_is_old_enough(self, viewer, entries):
        assert found(viewer, "age=over-1m") == []
        assert len(found(viewer, "age=under-1h&deed=looks")) == 1


class TestReading:
    def test_names_staff_and_links_what_it_is_about(self, viewer, ann):
        with acting_as(SYSTEM):
            account = account_of(1)
        staff = Principal.staff(ann.pk)
        write("pii.revealed", staff, subject=str(account.pk), reason="Ticket 4711")

        page = viewer.get(f"{LIST}?deed=looks").content.decode()

        assert f'<span title="staff:{ann.pk}">ann</span>' in page
        assert f'href="/admin/accounts/brokerageaccount/{account.pk}/change/"' in page
        assert "reason: Ticket 4711" in page

    def test_one_entry_shows_its_fingerprint_and_its_place_in_the_chain(self, viewer):
        write("account.frozen")
        with acting_as(SYSTEM):
            entry = AuditEntry.objects.get(action="account.frozen")
        url = f"{LIST}{entry.pk}/change/"

        assert "not linked yet" in viewer.get(url).content.decode()
        chain.extend()
        page = viewer.get(url).content.decode()
        assert "link 3" in page  # two are about the member of the staff
        assert bytes(entry.digest).hex() in page

    @pytest.mark.parametrize("role", ["viewer", "superuser"])
    def test_nobody_changes_it(self, role):
        client = signed_in(member("sue", role))
        write("account.frozen")
        with acting_as(SYSTEM):
            entry = AuditEntry.objects.get(action="account.frozen")

        answers = [
            client.post(f"{LIST}add/", {"action": "x"}),
            client.post(f"{LIST}{entry.pk}/change/", {"action": "x"}),
            client.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}),
        ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]

    def test_of_a_key_leads_to_the_list_of_keys(self):
        key = api_keys.create(label="shop", scopes=[]).key
        with acting_as(SYSTEM):
            entry = AuditEntry.objects.get(action="api_key.created")

        assert f"/admin/core/apikey/?q={key.public_id}" in str(trail.subject(entry))

    @pytest.mark.parametrize(
        ("kind", "words"), [("nothing.AtAll", "AtAll"), ("nonsense", "nonsense"), ("", "-")]
    )
    def test_of_what_has_no_page_is_told_without_a_link(self, kind, words):
        entry = AuditEntry(subject_kind=kind, subject_id=str(new_id()))
        assert str(trail.subject(entry)).startswith(words)
        assert "href" not in str(trail.subject(entry))


@pytest.mark.parametrize(
    ("principal", "words"),
    [
        ("customer:ada", "customer ada"),
        ("service:shop", "key shop"),
        ("staff:0", "staff 0"),
        ("staff:gone", "staff gone"),
        ("system:", "Clera"),
        ("manage.py", "manage.py"),
        ("", "-"),
    ],
)
def test_a_credential_has_a_name_that_people_can_read(principal, words):
    assert strip_tags(str(people.names_of([principal])[principal])) == words


class TestNotes:
    def test_of_a_change_name_the_columns_that_differ(self):
        details = {
            "from": {"state": "PENDING", "same": 1, "frozen_by": None},
            "to": {"state": "SENDING", "same": 1, "frozen_by": ""},
        }
        entry = AuditEntry(action="row.changed", details=details)
        assert trail.notes(entry) == ["state: PENDING → SENDING"]

    def test_of_an_addition_list_what_it_began_with(self):
        details = {"to": {"state": "PENDING", "fields": ["contact.city"], "empty": ""}}
        entry = AuditEntry(action="row.added", details=details)
        assert trail.notes(entry) == ["fields: contact.city", "state: PENDING"]

    def test_of_a_removal_list_what_is_gone(self):
        entry = AuditEntry(action="row.removed", details={"from": {"state": "OPEN"}})
        assert trail.notes(entry) == ["state: OPEN → -"]

    def test_shorten_hashes(self):
        entry = AuditEntry(action="audit.verified", details={"hash": "ab" * 32, "links": 3})
        assert trail.notes(entry) == ["hash: abababab…", "links: 3"]


class TestTheChain:
    def test_is_told_above_the_list(self, viewer):
        page = viewer.get(LIST).content.decode()
        assert "0 entries chained" in page
        assert "Never verified" in page

        chain.extend()
        call_command("audit", "verify")
        chain.extend()

        page = viewer.get(LIST).content.decode()
        assert "3 entries chained" in page
        assert "0 wait for their link" in page
        assert "up to link 2" in page

    def test_a_fault_that_was_found_stays_in_sight(self, viewer):
        write("account.frozen")
        chain.extend()
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("ALTER TABLE core_auditentry DISABLE TRIGGER append_only")
            cursor.execute("UPDATE core_auditentry SET action = 'x' WHERE subject_id = '1'")
            cursor.execute("ALTER TABLE core_auditentry ENABLE TRIGGER append_only")
            cursor.execute("SET ROLE clera_app")
        with pytest.raises(CommandError):
            call_command("audit", "verify")

        page = viewer.get(LIST).content.decode()
        assert "the trail did not hold: the entry is not what was written" in page


def test_an_action_without_words_is_shown_as_it_is():
    assert trail.deed("something.new") == "something.new"
