"""What staff does with accounts from the admin: who may, what happens, and what is on record."""

import base64
import json

import pytest
import redis
from django.conf import settings
from django.test import Client

from accounts import tasks
from accounts.models import BrokerageAccount, DocumentRequest
from accounts.services import oversight
from accounts.tests.factories import make_account, now
from accounts.tests.stuck import SOMEBODY, applied, asked, frozen, told
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.intents.states import IntentState
from core.tests.staff_people import member, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/brokerageaccount/"
REQUESTS = "/admin/accounts/documentrequest/"
WHY = {"reason": "Ticket 4711"}
WISH = {"document_type": "w8ben", "note": "Please sign it."}
ROLES = ("", "viewer", "operator", "approver", "superuser")
OPERATORS = {"operator", "approver", "superuser"}
APPROVERS = {"approver", "superuser"}
# The page of each deed: what it is sent, who may, an account that it fits, and what is recorded.
DEEDS = {
    "reveal": (WHY, OPERATORS, told, "pii.revealed"),
    "sync": ({}, OPERATORS, told, "account.synced"),
    "request-document": (WISH, OPERATORS, told, "document.requested"),
    "freeze": (WHY, OPERATORS, told, "account.frozen"),
    "unfreeze": (WHY, APPROVERS, frozen, "account.unfrozen"),
    "dismiss": (WHY, APPROVERS, applied, "account.dismissed"),
}


def fitting(deed):
    make = DEEDS[deed][2]
    if make is told:
        return told("ada", "ACTIVE")
    return applied("ada", IntentState.NEEDS_REVIEW) if make is applied else make("ada")


def page_of(account, deed="change"):
    return f"{LIST}{account.pk}/{deed}/"


def staff(role, name="ann"):
    return signed_in(member(name, role))


def row(account):
    with acting_as(SYSTEM):
        return BrokerageAccount.objects.get(pk=account.pk)


def recorded(account, *, by=None):
    """What staff did with the account, without the changes of rows that it led to."""
    with acting_as(SYSTEM):
        entries = AuditEntry.objects.filter(user_id=account.user_id).order_by("pk")
        if by is not None:
            entries = entries.filter(principal=f"staff:{by.pk}")
        return [
            (entry.action, entry.details)
            for entry in entries.exclude(action__startswith="row.").exclude(principal=SOMEBODY.name)
        ]


def everything():
    """What any deed could change."""
    with acting_as(SYSTEM):
        return (
            list(BrokerageAccount.objects.order_by("pk").values()),
            list(DocumentRequest.objects.order_by("pk").values()),
            AuditEntry.objects.count(),
        )


class TestWhoMay:
    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("deed", DEEDS)
    def test_each_deed_is_for_its_roles_and_is_recorded_once(self, role, deed, broker):
        sent, allowed, _, action = DEEDS[deed]
        account, client = fitting(deed), staff(role)
        before = everything()

        asked_for = client.get(page_of(account, deed))
        answer = client.post(page_of(account, deed), sent)

        if role not in allowed:
            assert (asked_for.status_code, answer.status_code) == (403, 403)
            assert everything() == before
        else:
            assert asked_for.status_code == 200
            assert answer.status_code == (200 if deed == "reveal" else 302)
            assert [name for name, _ in recorded(account)] == [action]

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("deed", DEEDS)
    def test_the_page_offers_only_what_the_role_may(self, role, deed):
        account = fitting(deed)
        page = staff(role).get(page_of(account)).content.decode()

        assert (page_of(account, deed) in page) == (role in DEEDS[deed][1])

    @pytest.mark.parametrize("role", ROLES)
    def test_several_at_once_are_for_the_same_roles(self, role):
        accounts = [told("ada", "ACTIVE"), told("bob", "ACTIVE")]
        body = {"action": "freeze_chosen", "_selected_action": [str(a.pk) for a in accounts]}
        client = staff(role)
        before = everything()

        client.post(LIST, {**body, "answered": "yes", **WHY})

        assert [row(account).is_frozen for account in accounts] == [role in OPERATORS] * 2
        if role not in OPERATORS:
            assert everything() == before

    @pytest.mark.parametrize("deed", DEEDS)
    def test_looking_at_the_page_does_nothing(self, deed):
        account, client = fitting(deed), staff("superuser")
        before = everything()

        page = client.get(page_of(account, deed), DEEDS[deed][0])

        assert page.status_code == 200
        assert not page.context["form"].initial  # a link does not write somebody's reason
        assert account.email_masked in page.content.decode()
        assert everything() == before

    @pytest.mark.parametrize("deed", DEEDS)
    def test_a_form_of_another_site_does_nothing(self, deed):
        account = fitting(deed)
        client = Client(enforce_csrf_checks=True)
        client.force_login(member("ann", "superuser"))
        before = everything()

        assert client.post(page_of(account, deed), DEEDS[deed][0]).status_code == 403
        assert everything() == before

    @pytest.mark.parametrize("deed", DEEDS)
    @pytest.mark.parametrize("pk", ["nothing", "00000000-0000-0000-0000-000000000000"])
    def test_of_no_account_is_404(self, deed, pk):
        assert staff("superuser").post(f"{LIST}{pk}/{deed}/", DEEDS[deed][0]).status_code == 404


class TestReveal:
    def test_shows_the_person_once_on_a_page_that_nobody_keeps(self):
        account, client = make_account("ada"), staff("operator")
        email = account.person().email

        answer = client.post(page_of(account, "reveal"), WHY)

        page = answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        for shown in (email, "Ada", "Stone", "1990-01-01", "123 Main St", "555-555-5555"):
            assert shown in page
        assert "123-45-6789" not in page
        assert recorded(account) == [("pii.revealed", WHY)]
        for again in (page_of(account), page_of(account, "reveal"), LIST, "/admin/"):
            assert email not in client.get(again).content.decode()
        assert email not in json.dumps(dict(client.session.items()))

    def test_is_seen_in_the_timeline_with_who_and_why(self):
        account, client = make_account("ada"), staff("operator")
        client.post(page_of(account, "reveal"), WHY)

        page = client.get(f"{page_of(account)}?show=looks").content.decode()

        assert "Personal data shown" in page
        assert "reason: Ticket 4711" in page
        assert ">ann</span>" in page

    @pytest.mark.parametrize("sent", [{}, {"reason": " "}, {"reason": "x" * 301}])
    def test_without_a_reason_shows_and_records_nothing(self, sent):
        account = make_account("ada")

        answer = staff("operator").post(page_of(account, "reveal"), sent)

        assert answer.context["form"].errors["reason"]
        assert "Stone" not in answer.content.decode()
        assert recorded(account) == []

    def test_is_not_offered_once_the_person_is_erased(self):
        account, client = make_account("ada"), staff("operator")
        with acting_as(SYSTEM):
            account.forget_person()

        assert page_of(account, "reveal") not in client.get(page_of(account)).content.decode()
        answer = client.post(page_of(account, "reveal"), WHY)
        assert "Nothing is kept of this customer." in answer.content.decode()
        assert recorded(account) == []

    def test_until_then_only_initials_and_ends_are_seen(self):
        account = make_account("ada")
        page = staff("viewer").get(page_of(account)).content.decode()

        for shown in ("A*** S***", "•••-••-6789", "o***@example.com"):
            assert shown in page
        for hidden in ("Stone", "123-45-6789", account.person().email):
            assert hidden not in page


class TestSync:
    @pytest.fixture
    def queue(self):
        """The queue of the ordinary worker, emptied before and after."""
        client = redis.Redis.from_url(settings.CELERY_BROKER_URL)
        client.delete("default")
        yield lambda: [_call_in(message) for message in client.lrange("default", 0, -1)]
        client.delete("default")

    def test_has_a_worker_ask_after_the_commit(
        self, broker, queue, django_capture_on_commit_callbacks
    ):
        account, client = told("ada", "ACTIVE"), staff("operator")
        with django_capture_on_commit_callbacks() as later:
            answer = client.post(page_of(account, "sync"), follow=True)

        assert "Asked. Reload in a moment to see what the broker says." in answer.content.decode()
        assert recorded(account) == [("account.synced", {})]
        assert queue() == []
        for send in later:
            send()
        assert queue() == [("accounts.refresh_account", {"account_id": str(account.pk)})]

    def test_of_what_the_broker_has_not_opened_looks_for_it(
        self, broker, queue, django_capture_on_commit_callbacks
    ):
        account, client = applied("ada", IntentState.NEEDS_REVIEW), staff("operator")
        with django_capture_on_commit_callbacks(execute=True):
            client.post(page_of(account, "sync"))

        assert ("accounts.refresh_accounts", {}) in queue()

    def test_what_the_broker_says_arrives(self, broker):
        account = told("ada", "SUBMITTED")
        broker.accounts[account.broker_account_id] = broker_record(account, "ACTIVE")

        tasks.refresh_account(account_id=str(account.pk))

        assert row(account).vendor_status == "ACTIVE"


def _call_in(message):
    _, arguments, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    return json.loads(message)["headers"]["task"], arguments


def broker_record(account, status):
    from accounts.gateways import OpenedAccount

    return OpenedAccount(account.broker_account_id, account.account_number, status, now())


class TestFreeze:
    def test_needs_a_second_person_to_be_lifted(self):
        account = told("ada", "ACTIVE")
        ann, ben = staff("approver"), staff("approver", "ben")
        ann.post(page_of(account, "freeze"), WHY)

        own = ann.post(page_of(account, "unfreeze"), WHY)
        assert own.status_code == 200
        assert "Somebody else than who froze the account" in own.content.decode()
        assert row(account).is_frozen

        ben.post(page_of(account, "unfreeze"), {"reason": "All well."})
        assert not row(account).is_frozen
        assert recorded(account) == [
            ("account.frozen", WHY),
            ("account.unfrozen", {"reason": "All well."}),
        ]

    def test_shows_on_the_page_since_when_by_whom_and_why(self):
        account = told("ada", "ACTIVE")
        client = staff("operator")
        client.post(page_of(account, "freeze"), WHY)

        page = client.get(page_of(account)).content.decode()

        assert "Ticket 4711" in page
        assert "Orders and transfers are stopped until an approver lifts the freeze." in page
        assert page_of(account, "freeze") not in page

    def test_twice_is_refused_in_words(self):
        account, client = frozen("ada"), staff("operator")
        answer = client.post(page_of(account, "freeze"), WHY)

        assert "The account is frozen already." in answer.content.decode()
        assert recorded(account) == []

    def test_of_several_says_what_was_done_and_what_was_not(self):
        accounts = [told("ada", "ACTIVE"), frozen("bob"), told("eve", "ACTIVE")]
        client = staff("operator")
        body = {"action": "freeze_chosen", "_selected_action": [str(a.pk) for a in accounts]}

        form = client.post(LIST, body)
        assert form.context["form"].fields.keys() == {"reason"}
        assert [row(account).is_frozen for account in accounts] == [False, True, False]
        incomplete = client.post(LIST, {**body, "answered": "yes", "reason": ""})
        assert incomplete.context["form"].errors["reason"]

        done = client.post(LIST, {**body, "answered": "yes", **WHY}, follow=True).content.decode()
        assert "Frozen. (2 of 3)" in done
        assert f"{accounts[1].account_number}: The account is frozen already." in done
        assert [row(account).is_frozen for account in accounts] == [True, True, True]


class TestDismiss:
    def test_erases_the_person_and_lets_them_apply_again(self):
        account = applied("ada", IntentState.NEEDS_REVIEW)

        staff("approver").post(page_of(account, "dismiss"), WHY)

        assert row(account).state == "REJECTED"
        assert bytes(row(account).sealed_profile) == b""

    def test_of_what_nobody_has_to_decide_is_refused(self):
        account = told("ada", "ACTIVE")
        answer = staff("approver").post(page_of(account, "dismiss"), WHY)

        assert "The application is not under review." in answer.content.decode()
        assert row(account).state == "ACCEPTED"
        assert recorded(account) == []


class TestDocumentRequests:
    def test_the_customer_is_asked_in_the_words_of_staff(self):
        account = told("ada", "ACTIVE")
        staff("operator").post(page_of(account, "request-document"), WISH)

        with acting_as(SYSTEM):
            [wanted] = DocumentRequest.objects.all()
        assert (wanted.document_type, wanted.note, wanted.state) == (
            "w8ben", "Please sign it.", "OPEN",
        )  # fmt: skip

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("way", ["page", "list"])
    def test_is_withdrawn_by_operators(self, role, way):
        asked("ada")
        with acting_as(SYSTEM):
            wanted = DocumentRequest.objects.get()
        client = staff(role)
        if way == "page":
            client.get(f"{REQUESTS}{wanted.pk}/withdraw/")
            client.post(f"{REQUESTS}{wanted.pk}/withdraw/")
        else:
            chosen = {"action": "withdraw_chosen", "_selected_action": [str(wanted.pk)]}
            client.post(REQUESTS, chosen)

        with acting_as(SYSTEM):
            wanted.refresh_from_db()
        assert wanted.state == ("WITHDRAWN" if role in OPERATORS else "OPEN")

    def test_one_that_has_ended_offers_nothing(self):
        asked("ada")
        with acting_as(SYSTEM):
            wanted = DocumentRequest.objects.get()
        oversight.withdraw_request(staff=Principal.staff(1), request_id=wanted.pk, at=now())
        client, url = staff("operator"), f"{REQUESTS}{wanted.pk}/withdraw/"

        assert url not in client.get(f"{REQUESTS}{wanted.pk}/change/").content.decode()
        assert client.post(url).status_code == 403

    def test_the_page_of_the_account_leads_to_it(self):
        account = asked("ada")
        with acting_as(SYSTEM):
            wanted = DocumentRequest.objects.get()

        page = staff("viewer").get(page_of(account)).content.decode()
        assert f"{REQUESTS}{wanted.pk}/change/" in page
