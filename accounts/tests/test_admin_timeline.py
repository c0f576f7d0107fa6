"""One customer's timeline: everything once, newest first, with who was behind it."""

from datetime import timedelta
from itertools import pairwise

import pytest
import structlog
from django.utils.http import urlencode

from accounts import services
from accounts.admin import timeline
from accounts.models import AccountEvent
from accounts.services import oversight
from accounts.tests.factories import application, customer, make_account, now, service
from accounts.tests.stuck import asked, told
from core import audit
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.auth.delegation import act_for
from core.clock import database_now
from core.intents.models import IntentStep
from core.tests.admin_rows import model, one_of_everything
from core.tests.staff_people import member, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/brokerageaccount/"


def read(user_id, **options):
    with acting_as(SYSTEM):
        return timeline.read(user_id, **options)


def words(lines):
    """What lines say, without the markup."""
    return [" ".join([str(line.title), *map(str, line.labels), *line.notes]) for line in lines]


def move(kind, row, before, after, **more):
    with acting_as(SYSTEM):
        return IntentStep.objects.create(
            intent_kind=kind, intent_id=row.pk, from_state=before, to_state=after, **more
        )


class TestWhatItTells:
    def test_an_application_from_its_writing_to_the_brokers_word(self, broker):
        with structlog.contextvars.bound_contextvars(request_id="req-1"):
            account = services.open_account(
                principal=customer("ada"), application=application(), request=None, at=now()
            )

        lines = read("ada").lines

        moves = [line for line in lines if line.is_step]
        assert [line.principal for line in moves] == ["system:", "system:"]
        assert "SENDING → ACCEPTED" in words(moves)[0]
        assert f"broker_account_id: - → {account.broker_account_id}" in moves[0].notes
        assert "written down" in words(lines)[-1]
        assert (lines[-1].principal, lines[-1].request_id) == ("customer:ada", "req-1")
        assert all(line.at >= after.at for line, after in pairwise(lines))

    def test_a_move_is_told_once_though_two_records_have_it(self, broker):
        services.open_account(
            principal=customer("ada"), application=application(), request=None, at=now()
        )

        with acting_as(SYSTEM):
            steps = IntentStep.objects.count()
            entries = AuditEntry.objects.filter(user_id="ada").count()
            events = AccountEvent.objects.filter(user_id="ada").count()
        assert (steps, entries, events) == (2, 3, 1)
        assert len(read("ada").lines) == 4

    def test_a_change_behind_our_back_stands_alone(self):
        account = told("ada", "APPROVED")
        with acting_as(SYSTEM):
            type(account).objects.filter(pk=account.pk).update(vendor_status="ACTIVE")

        newest = read("ada").lines[0]

        assert newest.is_step is False
        assert newest.notes == ("vendor_status: APPROVED → ACTIVE",)

    def test_news_of_the_broker_say_when_they_happened_there(self):
        account = make_account("ada", status="SUBMITTED")
        with acting_as(SYSTEM):
            account.note_status("APPROVED", at=account.created_at + timedelta(seconds=5))

        assert any("It happened at the vendor on" in note for note in read("ada").lines[0].notes)

    def test_banks_transfers_orders_documents_and_changes_are_in_it(self):
        one_of_everything(1)
        kinds = (
            "accounts.ContactChange", "accounts.DocumentUpload", "funding.AchRelationship",
            "funding.Transfer", "trading.Order",
        )  # fmt: skip
        for kind in kinds:
            with acting_as(SYSTEM):
                row = model(kind).objects.get()
            move(kind, row, "PENDING", "SENDING", reason=f"a move of {kind}")

        told_of = words(read("customer-1", view="steps").lines)

        for kind in kinds:
            assert sum(f"a move of {kind}" in line for line in told_of) == 1, kind

    def test_what_the_customer_was_told_is_in_it(self):
        asked("ada")

        (line,) = [one for one in read("ada", view="told").lines if "Document" in str(one.title)]
        assert "document type: w8ben" in line.notes
        assert "note: Please sign it." in line.notes

    def test_nothing_of_another_customer_is_in_it(self):
        asked("ada")
        asked("eve")
        with acting_as(SYSTEM):
            theirs = AuditEntry.objects.filter(user_id="eve").values_list("subject_id", flat=True)
            subjects = set(theirs)

        text = " ".join(words(read("ada").lines))
        assert all(subject not in text for subject in subjects)


class TestViews:
    def test_looks_are_the_reveals_and_the_calls_of_services(self):
        account = make_account("ada")
        oversight.reveal_person(
            staff=Principal.staff(7), account_id=account.pk, reason="Ticket 4711"
        )
        act_for(service(), "ada", via="header")

        looks = read("ada", view="looks").lines
        assert [str(line.title) for line in looks] == [
            "Acted for the customer", "Personal data shown",
        ]  # fmt: skip
        everything = [str(line.title) for line in read("ada").lines]
        assert "Personal data shown" in everything
        assert "Acted for the customer" not in everything

    def test_each_view_shows_its_own_record(self):
        account = told("ada", "APPROVED")
        oversight.freeze(
            staff=Principal.staff(7), account_id=account.pk, reason="Odd.", at=database_now()
        )

        assert all(line.is_step for line in read("ada", view="steps").lines)
        assert {line.icon for line in read("ada", view="told").lines} == {"notifications"}
        record = read("ada", view="record").lines
        with acting_as(SYSTEM):
            assert len(record) == AuditEntry.objects.filter(user_id="ada").count()


class TestPages:
    @pytest.fixture
    def busy(self):
        """A customer with more than two pages: 40 moves, and 60 things on record."""
        account = make_account("ada")
        with acting_as(SYSTEM):
            for number in range(60):
                audit.record(f"test.{number}", principal="tests", user_id="ada")
                if number % 3:
                    account.note_status(f"STATUS_{number}", at=None)
        return account

    @pytest.mark.parametrize("view", ["all", "record", "steps"])
    def test_together_hold_every_line_once(self, busy, view):
        pages, before = [], None
        while True:
            page = read("ada", view=view, before=before)
            pages.append(page.lines)
            before = page.older
            if before is None:
                break

        lines = [line for page in pages for line in page]
        assert all(len(page) <= timeline.PAGE_LINES for page in pages)
        assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
        on_record = [str(line.title) for line in lines if str(line.title).startswith("test.")]
        moves = [line for line in lines if line.is_step]
        with acting_as(SYSTEM):
            entries = AuditEntry.objects.filter(user_id="ada").count()
            steps = IntentStep.objects.count()
        assert len(moves) == (0 if view == "record" else steps)
        assert on_record == (
            [] if view == "steps" else [f"test.{number}" for number in reversed(range(60))]
        )
        if view == "record":
            assert len(lines) == entries
        if view == "all":  # the creation is the only change of the row without a step
            assert len(lines) == steps + 60 + 1

    def test_lead_to_each_other(self, busy):
        client = signed_in(member("vic", "viewer"))
        url = f"{LIST}{busy.pk}/change/"

        first = client.get(url)
        second = client.get(url + first.context["older"].partition("#")[0])

        assert "test.59" in first.content.decode()
        assert "test.59" not in second.content.decode()
        assert 'href="?show=all#timeline"' in second.content.decode()

    @pytest.mark.parametrize(
        "query", [{"before": "yesterday"}, {"before": "2026-99-99"}, {"show": "x"}, {"before": ""}]
    )
    def test_nonsense_shows_the_newest(self, busy, query):
        client = signed_in(member("vic", "viewer"))
        page = client.get(f"{LIST}{busy.pk}/change/?{urlencode(query)}")

        assert page.status_code == 200
        assert "test.59" in page.content.decode()

    def test_cost_the_same_for_everybody(self, busy, django_assert_max_num_queries):
        client = signed_in(member("vic", "viewer"))
        with django_assert_max_num_queries(24):
            client.get(f"{LIST}{busy.pk}/change/")
