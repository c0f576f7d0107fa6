"""Documents are handed in once, answer what was asked for, and are kept nowhere here."""

import pytest

from accounts import services
from accounts.gateways import Statement
from accounts.models import AccountEvent, BrokerageAccount, DocumentRequest, DocumentUpload
from accounts.services import oversight
from accounts.services.documents import Document
from accounts.tests.factories import application, customer, now
from core.auth import SYSTEM, Principal, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.parcels import pass_time

PASSPORT = Document(
    document_type="identity_verification",
    document_sub_type="passport",
    mime_type="image/png",
    content=b"\x89PNG\r\n\x1a\n and the rest",
)
UNCLEAR = VendorUnclear("fake", "no answer")
STAFF = Principal.staff(7)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return customer("ada")


@pytest.fixture
def account(broker, ada):
    broker.first_status = "ACTION_REQUIRED"
    return services.open_account(
        principal=ada, application=application("ada@example.com"), request=None, at=now()
    )


def upload(principal, account, document=PASSPORT):
    return services.upload_document(
        principal=principal, account_id=account.pk, document=document, request=None, at=now()
    )


def row(thing):
    with acting_as(SYSTEM):
        return type(thing).objects.get(pk=thing.pk)


def look(times=1):
    for _ in range(times):
        services.sweep_documents(at=now())
        pass_time(11)


class TestUpload:
    def test_reaches_the_broker_once_and_is_forgotten_here(self, broker, ada, account):
        made = upload(ada, account)

        [sent] = broker.handed_in
        assert (sent.document_type, sent.mime_type) == ("identity_verification", "image/png")
        assert sent.content == PASSPORT.content
        assert (made.state, made.sealed_payload) == ("ACCEPTED", None)
        assert made.size_bytes == len(PASSPORT.content)

    def test_ends_the_request_that_it_answers_and_says_so(self, broker, ada, account):
        request = oversight.request_document(
            staff=STAFF,
            account_id=account.pk,
            document_type="identity_verification",
            note="Your passport, please.",
        )

        made = upload(ada, account)

        assert (row(request).state, made.request_id) == ("DONE", request.pk)
        with acting_as(SYSTEM):
            told = AccountEvent.objects.filter(kind="account.document_wanted").order_by("seq")
            states = [payload["state"] for payload in told.values_list("payload", flat=True)]
        assert states == ["OPEN", "DONE"]

    def test_leaves_a_request_for_another_document_open(self, broker, ada, account):
        request = oversight.request_document(
            staff=STAFF, account_id=account.pk, document_type="w8ben", note="Form W-8BEN."
        )

        upload(ada, account)

        assert row(request).state == "OPEN"

    def test_a_lost_answer_is_found_by_reading_the_broker(self, broker, ada, account):
        broker.fails_after = UNCLEAR
        lost = upload(ada, account)
        assert (lost.state, lost.sealed_payload) == ("UNKNOWN", None)

        look()

        assert row(lost).state == "ACCEPTED"
        [kept] = broker.accounts[account.broker_account_id].documents
        assert row(lost).broker_document_id == kept.document_id
        assert len(broker.handed_in) == 1

    def test_of_two_lost_ones_each_finds_its_own(self, broker, ada, account):
        lost = []
        for _ in range(2):
            broker.fails_after = UNCLEAR
            lost.append(upload(ada, account))

        look(2)

        found = {row(each).broker_document_id for each in lost}
        shown = broker.accounts[account.broker_account_id].documents
        assert found == {document.document_id for document in shown}
        assert len(found) == 2

    def test_one_that_was_answered_is_not_taken_for_one_that_was_lost(self, broker, ada, account):
        front = upload(ada, account)
        broker.fails_before = UNCLEAR
        back = upload(ada, account)

        look(4)

        assert (row(front).state, row(back).state) == ("ACCEPTED", "NEEDS_REVIEW")

    def test_a_lost_one_is_found_beside_one_that_was_answered(self, broker, ada, account):
        upload(ada, account)
        broker.fails_after = UNCLEAR
        back = upload(ada, account)

        look()

        assert row(back).state == "ACCEPTED"

    def test_one_that_left_no_trace_is_never_sent_again(self, broker, ada, account):
        broker.fails_before = UNCLEAR
        lost = upload(ada, account)

        look(4)

        assert row(lost).state == "NEEDS_REVIEW"
        assert len(broker.handed_in) == 1

    def test_a_clear_no_says_why(self, broker, ada, account):
        broker.fails_before = VendorRejected("fake", "mime_type is not supported", http_status=422)

        with pytest.raises(services.DocumentRefused, match="mime_type is not supported"):
            upload(ada, account)

    def test_nobody_hands_in_for_somebody_else(self, broker, account):
        with pytest.raises(NotFound):
            upload(customer("eve"), account)

        assert broker.handed_in == []
        with acting_as(SYSTEM):
            assert not DocumentUpload.objects.exists()

    def test_a_closed_account_takes_none(self, broker, ada, account):
        with acting_as(SYSTEM):
            BrokerageAccount.objects.update(vendor_status="ACCOUNT_CLOSED")

        with pytest.raises(services.AccountOver):
            upload(ada, account)

        assert broker.handed_in == []


class TestStatements:
    @pytest.fixture
    def written(self, broker):
        broker.statements = [
            Statement("d1", "", "account_statement", "", "2026-10-31"),
            Statement("d2", "", "trade_confirmation", "", "2026-11-02"),
        ]
        return broker.statements

    def test_are_listed_and_filtered_at_the_broker(self, ada, account, written):
        def listed(**filters):
            found = services.list_statements(principal=ada, account_id=account.pk, filters=filters)
            return [statement.document_id for statement in found]

        assert listed() == ["d1", "d2"]
        assert listed(type="trade_confirmation") == ["d2"]

    def test_one_is_read_by_its_owner_alone(self, ada, account, written):
        one = {"account_id": account.pk, "document_id": "d1"}

        assert services.get_statement(principal=ada, **one) == written[0]
        assert services.read_statement(principal=ada, **one).content == b"%PDF-1.4 d1"
        for ask in (services.get_statement, services.read_statement):
            with pytest.raises(NotFound):
                ask(principal=customer("eve"), **one)
            with pytest.raises(NotFound):
                ask(principal=ada, account_id=account.pk, document_id="d9")

    @pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "", "x" * 65, "d\u0661", "a\r\nb"])
    def test_what_cannot_be_an_id_is_not_asked_for(self, broker, ada, account, name):
        broker.reading_fails = VendorUnavailable("fake", "asked")

        with pytest.raises(NotFound):
            services.read_statement(principal=ada, account_id=account.pk, document_id=name)

    def test_a_broker_that_is_away_is_said_to_be_away(self, broker, ada, account):
        broker.reading_fails = VendorUnavailable("fake", "not connected")

        with pytest.raises(VendorUnavailable):
            services.list_statements(principal=ada, account_id=account.pk, filters={})


class TestRequests:
    def test_asking_again_replaces_the_words(self, broker, account):
        for note in ("Your passport.", "Both sides of your passport."):
            oversight.request_document(
                staff=STAFF, account_id=account.pk, document_type="w8ben", note=note
            )

        with acting_as(SYSTEM):
            [request] = DocumentRequest.objects.all()
        assert (request.note, request.requested_by) == ("Both sides of your passport.", "staff:7")

    def test_may_be_taken_back_once(self, broker, account):
        request = oversight.request_document(
            staff=STAFF, account_id=account.pk, document_type="w8ben", note="Form W-8BEN."
        )

        for _ in range(2):
            oversight.withdraw_request(staff=STAFF, request_id=request.pk, at=now())

        assert row(request).state == "WITHDRAWN"
        with acting_as(SYSTEM):
            told = AccountEvent.objects.filter(kind="account.document_wanted")
            assert told.count() == 2
