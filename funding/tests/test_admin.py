"""Staff sees what it needs, edits nothing, and settles what is lost: who may press what."""

from decimal import Decimal

import pytest
from django.contrib.messages import get_messages

from accounts.tests.factories import customer, now
from core.audit.models import AuditEntry
from core.auth import SYSTEM, Principal, acting_as
from core.errors import VendorUnclear
from core.tests.parcels import pass_time
from core.tests.staff_people import member, signed_in
from funding.gateways import Payment
from funding.models import AchRelationship, ReviewVerdict, Transfer, TransferLimit, TransferReturn
from funding.services import transfer_upkeep, transfers, verdicts
from funding.tests.factories import BANK, make_bank

pytestmark = pytest.mark.django_db
ROLES = ("", "viewer", "operator", "approver")
SOMEBODY = Principal.staff(4711)
LIST = "/admin/funding/transfer/"
LIMITS = "/admin/funding/transferlimit/"
RETURNS = "/admin/funding/transferreturn/"
WHY = {"reason": "Ticket 4711"}
LIMIT = {"largest": "100.50", "daily_amount": "", "daily_count": "3", "note": "Ticket 4711"}


@pytest.fixture
def lost(funds):
    """A transfer that somebody has to decide about."""
    bank = make_bank()
    funds.fails_before = VendorUnclear("fake", "no answer")
    moved = move(bank)
    for _ in range(3):
        transfer_upkeep.sweep_transfers(at=now())
        pass_time(11)
    return row(moved)


@pytest.fixture
def at_broker(lost, funds):
    """What the broker has of it, too old to be found by the machine."""
    with acting_as(SYSTEM):
        payment = Payment(lost.relationship.broker_relationship_id, "INCOMING", Decimal("25.00"))
        owner = lost.account.broker_account_id
    funds._clock, clock = (lambda: now().replace(year=2020)), funds._clock
    moved = funds.add_transfer(owner, payment)
    funds._clock = clock
    return moved


@pytest.fixture
def case(funds):
    """A transfer that a bank has sent back."""
    moved = move(make_bank())
    with acting_as(SYSTEM):
        return TransferReturn.objects.create(
            user_id=moved.user_id,
            account_id=moved.account_id,
            transfer=moved,
            code="R01",
            was_complete=True,
        )


def move(bank):
    return transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal("25.00"),
        direction="INCOMING",
        request=None,
        at=now(),
    )


def row(found):
    with acting_as(SYSTEM):
        related = Transfer.objects.select_related("account", "relationship")
        return related.get(pk=found.pk) if isinstance(found, Transfer) else None


def proposed(lost, *, by=SOMEBODY):
    return verdicts.propose(
        staff=by, transfer_id=lost.pk, verdict="DISMISS", reason="Asked them.", at=now()
    )


def page_of(transfer, deed="change"):
    return f"{LIST}{transfer.pk}/{deed}/"


def staff(role, name="ann"):
    return signed_in(member(name, role))


def everything():
    with acting_as(SYSTEM):
        models = (Transfer, ReviewVerdict, TransferReturn, TransferLimit)
        return [list(model.objects.order_by("pk").values()) for model in models]


def actions():
    with acting_as(SYSTEM):
        found = AuditEntry.objects.exclude(action__startswith="row.").order_by("pk")
        return list(found.values_list("action", flat=True))


# Each deed: what is sent, the lowest role, whether it needs a proposal, and what is noted.
DEEDS = {
    "look-again": ({}, "operator", False, "review.looked_up"),
    "attach": (WHY, "operator", False, "verdict.proposed"),
    "dismiss": (WHY, "operator", False, "verdict.proposed"),
    "confirm": ({}, "approver", True, "verdict.confirmed"),
    "withdraw": ({}, "operator", True, "verdict.withdrawn"),
}


class TestWhoMay:
    @pytest.mark.parametrize("deed", DEEDS)
    def test_each_deed_is_for_its_roles(
        self, deed, lost, at_broker, django_capture_on_commit_callbacks
    ):
        sent, lowest, needs_proposal, action = DEEDS[deed]
        if needs_proposal:
            proposed(lost)
        if deed == "attach":
            sent = {**sent, "broker_id": at_broker.broker_transfer_id}

        def press(role):
            client, url = staff(role, f"ann-{role}"), page_of(lost, deed)
            shown = client.get(page_of(lost))
            asked = client.get(url)
            with django_capture_on_commit_callbacks(execute=True):
                answer = client.post(url, sent)
            return url in shown.content.decode(), asked.status_code, answer.status_code

        before = everything()
        for role in ROLES[: ROLES.index(lowest)]:
            assert press(role) == (False, 403, 403), role
        assert everything() == before
        assert action not in actions()[int(needs_proposal) :]
        assert press(lowest) == (True, 200, 302)
        assert actions()[-1] == action

    def test_cases_of_returns_are_closed_by_operators(self, case):
        answers = [
            staff(role, f"ann-{role}").post(f"{RETURNS}{case.pk}/resolve/", {"note": "Paid."})
            for role in ("", "viewer", "operator")
        ]

        assert [answer.status_code for answer in answers] == [403, 403, 302]
        with acting_as(SYSTEM):
            assert TransferReturn.objects.get(pk=case.pk).state == "RESOLVED"

    def test_limits_are_set_by_approvers(self, case):
        body = {**LIMIT, "account_id": str(case.account_id)}
        answers = []
        for role in ("", "viewer", "operator"):
            answers.append(staff(role, f"ann-{role}").post(f"{LIMITS}new/", body).status_code)
            with acting_as(SYSTEM):
                assert TransferLimit.objects.count() == 0
        answers.append(staff("approver").post(f"{LIMITS}new/", body).status_code)

        assert answers == [403, 403, 403, 302]
        with acting_as(SYSTEM):
            assert TransferLimit.objects.get().largest == Decimal("100.50")

    def test_nobody_adds_changes_or_deletes(self, lost):
        client = staff("superuser")

        assert client.get(f"{LIST}add/").status_code == 403
        assert client.post(page_of(lost, "delete"), {"post": "yes"}).status_code == 403
        assert client.post(page_of(lost), {"amount": "1"}).status_code == 403
        assert client.get(f"{LIMITS}add/").status_code == 403


class TestTheWorkList:
    def test_shows_the_brokers_evidence_beside_our_facts(self, lost, at_broker, funds):
        verdicts.look_again(staff=SOMEBODY, transfer_id=lost.pk, at=now())

        page = staff("operator").get(page_of(lost)).content.decode()

        assert "An operator has to find out" in page
        assert at_broker.broker_transfer_id in page
        which = f"{page_of(lost, 'attach')}?broker_id={at_broker.broker_transfer_id}"
        assert f'href="{which}"' in page
        form = staff("operator", "ben").get(which).content.decode()
        assert f'value="{at_broker.broker_transfer_id}"' in form

    def test_offers_nothing_that_cannot_be_it(self, lost, funds):
        with acting_as(SYSTEM):
            owner, bank = lost.account.broker_account_id, lost.relationship.broker_relationship_id
        funds._clock = lambda: now().replace(year=2020)
        funds.add_transfer(owner, Payment(bank, "INCOMING", Decimal("26.00")))
        verdicts.look_again(staff=SOMEBODY, transfer_id=lost.pk, at=now())

        page = staff("operator").get(page_of(lost)).content.decode()

        assert "another amount" in page
        assert "?broker_id=" not in page

    def test_is_filtered_by_who_has_to_decide(self, lost):
        client = staff("viewer")
        queries = {
            "decide=any": (1, 1),
            "decide=operator": (1, 0),
            "decide=approver": (0, 1),
            "decide=machine": (0, 0),
            "returned=no": (1, 1),
            "returned=yes": (0, 0),
            "returned=open": (0, 0),
        }

        def counts():
            return [client.get(f"{LIST}?{q}").context["cl"].result_count for q in queries]

        assert counts() == [before for before, _ in queries.values()]
        proposed(lost)
        assert counts() == [after for _, after in queries.values()]

    def test_the_first_page_says_whose_turn_it_is(self, lost):
        client = staff("viewer")
        assert "an operator has to find out" in client.get("/admin/").content.decode()

        proposed(lost)

        page = client.get("/admin/").content.decode()
        assert "an approver has to confirm" in page
        assert 'href="/admin/funding/transfer/?decide=approver"' in page

    def test_a_proposal_is_shown_to_who_has_to_confirm_it(self, lost):
        proposed(lost)
        client = staff("approver")

        for path in (page_of(lost), page_of(lost, "confirm")):
            page = client.get(path).content.decode()
            assert "The broker never got it." in page
            assert "Asked them." in page

    def test_pages_hold_nothing_of_a_banks_number(self, lost, case):
        client = staff("superuser")
        pages = [
            client.get(f"/admin/funding/achrelationship/{lost.relationship_id}/change/"),
            client.get("/admin/funding/achrelationship/"),
            client.get(page_of(lost)),
            client.get(f"{RETURNS}{case.pk}/change/"),
        ]

        assert [page.status_code for page in pages] == [200] * 4
        for page in pages:
            text = page.content.decode()
            assert BANK.number not in text
            assert BANK.routing_number not in text
            assert "sealed" not in text

    def test_a_return_says_what_its_code_means(self, case):
        page = staff("viewer").get(f"{RETURNS}{case.pk}/change/").content.decode()

        assert "R01" in page
        assert "funds" in page or "balance" in page


class TestMistakes:
    def test_who_proposed_it_is_told_that_somebody_else_confirms(
        self, lost, django_capture_on_commit_callbacks
    ):
        ann = member("ann", "approver")
        proposed(lost, by=Principal.staff(ann.pk))

        with django_capture_on_commit_callbacks(execute=True):
            answer = signed_in(ann).post(page_of(lost, "confirm"), {})

        [message] = get_messages(answer.wsgi_request)
        assert str(message) == "Somebody else than who proposed it has to confirm it."
        assert row(lost).state == "NEEDS_REVIEW"

    def test_a_proposal_without_a_reason_is_asked_for_one(self, lost):
        answer = staff("operator").post(page_of(lost, "dismiss"), {"reason": " "})

        assert answer.status_code == 200
        assert "This field is required." in answer.content.decode()
        assert "verdict.proposed" not in actions()

    def test_a_second_proposal_is_refused_on_the_page(self, lost):
        proposed(lost)

        answer = staff("operator").post(page_of(lost, "dismiss"), WHY)

        assert "confirm or withdraw that first" in answer.content.decode()

    def test_limits_of_an_account_that_is_not_there_are_refused(self, funds):
        answer = staff("approver").post(f"{LIMITS}new/", {**LIMIT, "account_id": "nobody"})

        assert "There is no such account." in answer.content.decode()

    @pytest.mark.parametrize(
        "wrong", [{"largest": "-1"}, {"largest": "1.005"}, {"daily_count": "0"}, {"note": " "}]
    )
    def test_limits_that_are_none_are_refused(self, case, wrong):
        body = {**LIMIT, "account_id": str(case.account_id), **wrong}

        assert staff("approver").post(f"{LIMITS}new/", body).status_code == 200
        with acting_as(SYSTEM):
            assert TransferLimit.objects.count() == 0

    def test_limits_are_changed_on_their_page(self, case):
        client = staff("approver")
        client.post(f"{LIMITS}new/", {**LIMIT, "account_id": str(case.account_id)})

        form = client.get(f"{LIMITS}{case.account_id}/set/").context["form"]
        client.post(f"{LIMITS}{case.account_id}/set/", {**LIMIT, "largest": "7"})

        assert form.initial["largest"] == Decimal(LIMIT["largest"]), "nobody loses it unseen"

        with acting_as(SYSTEM):
            limit = TransferLimit.objects.get()
        assert (limit.largest, limit.daily_amount, limit.daily_count) == (Decimal(7), None, 3)
        assert actions().count("transfer_limit.set") == 2


@pytest.mark.django_db(transaction=True)
def test_the_broker_is_asked_between_two_pages_and_the_second_tells(lost, at_broker):
    client = staff("approver")
    body = {**WHY, "broker_id": at_broker.broker_transfer_id}

    answer = client.post(page_of(lost, "attach"), body, follow=True)

    assert "Proposed. Somebody else, an approver, has to confirm it." in answer.content.decode()
    again = staff("approver", "ben").post(page_of(lost, "confirm"), {}, follow=True)
    assert "Confirmed; it is settled." in again.content.decode()
    assert row(lost).broker_transfer_id == at_broker.broker_transfer_id


def test_a_bank_that_another_customer_has_too_is_marked(funds):
    first, second = make_bank(), make_bank()
    client = staff("viewer")
    assert first.user_id != second.user_id

    found = client.get("/admin/funding/achrelationship/?elsewhere=yes")

    assert found.context["cl"].result_count == 2
    assert "another customer" in found.content.decode()
    with acting_as(SYSTEM):
        AchRelationship.objects.filter(pk=second.pk).update(user_id=first.user_id)
    assert (
        client.get("/admin/funding/achrelationship/?elsewhere=yes").context["cl"].result_count == 0
    )
