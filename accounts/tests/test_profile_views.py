"""Personal data, documents and history over HTTP."""

import base64

import pytest

from accounts import services
from accounts.gateways import Statement
from accounts.models import BrokerageAccount
from accounts.tests.factories import application, customer, now, service
from core.audit.models import AuditEntry
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable, VendorUnclear

pytestmark = pytest.mark.django_db

PDF = base64.b64encode(b"%PDF-1.7 ...").decode()
LETTER = {"document_type": "address_verification", "content": PDF, "mime_type": "application/pdf"}


@pytest.fixture
def account(broker):
    return services.open_account(
        principal=customer("ada"),
        application=application("ada@example.com"),
        request=None,
        at=now(),
    )


@pytest.fixture
def ada(api, account):
    return api(customer("ada"))


def path(account, rest):
    return f"/api/account/{account.public_id}/{rest}"


class TestProfile:
    def test_shows_what_the_broker_knows_without_the_tax_id(self, ada, account):
        answer = ada.get(path(account, "pii"))

        data = answer.json()["data"]
        assert answer.status_code == 200
        assert data["account_id"] == account.broker_account_id
        assert data["contact"]["email_address"] == "ada@example.com"
        assert data["identity"]["tax_id_last4"] == "6789"
        assert "tax_id" not in data["identity"]
        assert "123-45-6789" not in answer.content.decode()

    def test_changes_single_fields(self, ada, account, broker):
        answer = ada.patch(path(account, "pii"), {"contact": {"city": "Oakland"}}, format="json")

        assert (answer.status_code, answer.json()["data"]["state"]) == (200, "ACCEPTED")
        assert answer.json()["data"]["fields"] == ["contact.city"]
        assert "Oakland" not in answer.content.decode()
        assert ada.get(path(account, "pii")).json()["data"]["contact"]["city"] == "Oakland"

    def test_is_202_while_the_outcome_is_unknown(self, ada, account, broker):
        broker.fails_after = VendorUnclear("fake", "no answer")

        answer = ada.patch(path(account, "pii"), {"contact": {"city": "Oakland"}}, format="json")

        assert (answer.status_code, answer.json()["data"]["state"]) == (202, "UNKNOWN")

    def test_the_same_key_changes_once(self, ada, account, broker):
        change = {"contact": {"city": "Oakland"}}
        first, again = (
            ada.patch(path(account, "pii"), change, format="json", headers={"Idempotency-Key": "k"})
            for _ in range(2)
        )

        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(broker.changes) == 1

    def test_the_same_change_within_a_minute_is_noticed(self, ada, account, broker):
        change = {"contact": {"city": "Oakland"}}
        answers = [ada.patch(path(account, "pii"), change, format="json") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 409]
        assert len(broker.changes) == 1

    def test_who_means_it_twice_says_so(self, ada, account, broker):
        there, back = {"contact": {"city": "Oakland"}}, {"contact": {"city": "Reno"}}
        answers = [
            ada.patch(path(account, "pii"), change, format="json")
            for change in (there, back, there | {"allow_duplicate": True})
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert broker.changes == [there, back, there]

    def test_meaning_it_twice_is_no_change(self, ada, account, broker):
        answer = ada.patch(path(account, "pii"), {"allow_duplicate": True}, format="json")

        assert list(answer.json()["field_errors"]) == ["non_field_errors"]
        assert broker.changes == []

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({}, "non_field_errors"),
            ({"contact": {}}, "non_field_errors"),
            ({"contact": {"phone_number": "call me"}}, "contact.phone_number"),
            ({"contact": {"country": "USA"}}, "contact.state"),
            ({"contact": {"email_address": "no address"}}, "contact.email_address"),
            ({"contact": {"street_address": "1 Road"}}, "contact.street_address"),
            ({"identity": {"family_name": "Smith"}}, "identity"),
            ({"contact": "x"}, "contact"),
        ],
    )
    def test_a_wrong_field_is_named_and_the_broker_hears_nothing(
        self, ada, account, broker, change, field
    ):
        answer = ada.patch(path(account, "pii"), change, format="json")

        assert answer.status_code == 400
        assert field in answer.json()["field_errors"]
        assert broker.changes == []

    def test_names_what_may_change(self, ada, account):
        answer = ada.get(path(account, "pii/updateable-fields")).json()

        assert "email_address" in answer["updateable_fields"]["contact"]
        assert "identity.tax_id" in answer["fixed_fields"]

    def test_a_broker_that_is_away_is_503(self, ada, account, broker):
        broker.reading_fails = VendorUnavailable("fake", "not connected")

        assert ada.get(path(account, "pii")).status_code == 503


class TestDocuments:
    def test_lists_statements_uploads_and_requests(self, ada, account, broker):
        broker.statements = [Statement("d1", "", "account_statement", "", "2026-10-31")]
        made = ada.post(path(account, "documents/upload"), LETTER, format="json")

        answer = ada.get(path(account, "documents")).json()

        assert made.status_code == 201
        assert [found["id"] for found in answer["documents"]] == ["d1"]
        assert answer["uploads"] == [made.json()["upload"]]
        assert answer["requested"] == []
        assert PDF not in made.content.decode()

    def test_the_same_file_twice_within_a_minute_is_noticed(self, ada, account, broker):
        answers = [
            ada.post(path(account, "documents/upload"), LETTER, format="json") for _ in range(2)
        ]

        assert [answer.status_code for answer in answers] == [201, 409]
        assert len(broker.handed_in) == 1

    def test_a_statement_is_described_and_downloaded(self, ada, account, broker):
        broker.statements = [Statement("d1", "", "account_statement", "", "2026-10-31")]

        described = ada.get(path(account, "documents/d1"))
        file = ada.get(path(account, "documents/d1/download"))

        assert described.json()["document"]["date"] == "2026-10-31"
        assert (file.content, file.headers["Content-Type"]) == (
            b"%PDF-1.4 d1", "application/pdf",
        )  # fmt: skip
        assert file.headers["Content-Disposition"] == 'attachment; filename="d1"'
        assert file.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("rest", ["documents/d9", "documents/d9/download"])
    def test_an_unknown_one_is_404(self, ada, account, rest):
        assert ada.get(path(account, rest)).status_code == 404

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("start_date=yesterday", "start_date"),
            ("start_date=2026-02-01&end_date=2026-01-01", "end_date"),
            ("document_type=diary", "document_type"),
        ],
    )
    def test_a_wrong_filter_is_named(self, ada, account, query, field):
        answer = ada.get(path(account, f"documents?{query}"))

        assert answer.status_code == 400
        assert list(answer.json()["field_errors"]) == [field]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"content": "###"}, "content"),
            ({"content": ""}, "content"),
            ({"mime_type": "image/png"}, "mime_type"),
            ({"document_type": "diary"}, "document_type"),
            ({"document_sub_type": "x" * 65}, "document_sub_type"),
        ],
    )
    def test_a_wrong_upload_is_named_and_not_sent(self, ada, account, broker, changes, field):
        answer = ada.post(path(account, "documents/upload"), LETTER | changes, format="json")

        assert answer.status_code == 400
        assert list(answer.json()["field_errors"]) == [field]
        assert broker.handed_in == []

    def test_a_document_as_large_as_the_broker_takes_is_taken(self, ada, account, broker):
        content = b"%PDF-" + bytes(10 * 1024 * 1024 * 3 // 4 - 5)
        body = LETTER | {"content": base64.b64encode(content).decode()}

        answer = ada.post(path(account, "documents/upload"), body, format="json")

        assert answer.status_code == 201
        assert broker.handed_in[0].content == content

    def test_a_body_of_many_small_parts_is_refused_before_it_is_taken_apart(
        self, ada, account, broker
    ):
        crowd = b'{"content":[' + b"{}," * 1_000_000 + b"{}]}"

        answer = ada.post(path(account, "documents/upload"), crowd, content_type="application/json")

        assert answer.status_code == 400
        assert answer.json()["detail"] == "The body has too many parts."
        assert broker.handed_in == []

    def test_a_larger_one_is_refused(self, ada, account, broker):
        content = base64.b64encode(b"%PDF-" + bytes(10 * 1024 * 1024 * 3 // 4)).decode()

        answer = ada.post(
            path(account, "documents/upload"), LETTER | {"content": content}, format="json"
        )

        rule = "A document has at most 7.5 MB: 10 MB in base64."
        assert answer.json()["field_errors"] == {"content": [rule]}
        assert broker.handed_in == []


class TestWhoseItIs:
    @pytest.mark.parametrize(
        ("method", "rest", "body"),
        [
            ("get", "pii", None),
            ("patch", "pii", {"contact": {"city": "Oakland"}}),
            ("get", "pii/updateable-fields", None),
            ("get", "documents", None),
            ("post", "documents/upload", LETTER),
            ("get", "documents/d1", None),
            ("get", "documents/d1/download", None),
            ("get", "status/history", None),
            ("get", "events", None),
        ],
    )
    def test_somebody_elses_is_404_and_nothing_happens(self, request, account, method, rest, body):
        api, broker = request.getfixturevalue("api"), request.getfixturevalue("broker")
        eve = getattr(api(customer("eve")), method)

        answer = eve(path(account, rest), body, format="json")

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (broker.changes, broker.handed_in) == ([], [])

    def test_a_service_acts_for_the_owner_and_that_is_on_record(self, api, account):
        key = service()
        assert api(key).get(path(account, "pii")).status_code == 200

        with acting_as(SYSTEM):
            [entry] = AuditEntry.objects.filter(action="auth.acted_for")
        assert (entry.principal, entry.user_id) == (f"service:{key.key_id}", "ada")


class TestStatus:
    def test_says_what_is_missing_and_what_to_do(self, ada, account):
        with acting_as(SYSTEM):
            BrokerageAccount.objects.update(
                vendor_status="ACTION_REQUIRED", requirements=["IDENTITY_VERIFICATION"]
            )

        data = ada.get(path(account, "status")).json()["data"]

        assert data["requirements"] == ["IDENTITY_VERIFICATION"]
        assert data["next_step"] == "Upload the document that `requirements` names."

    def test_the_history_has_every_step(self, ada, account):
        steps = ada.get(path(account, "status/history")).json()["steps"]

        assert [step["state"] for step in steps] == ["SENDING", "ACCEPTED"]
        assert steps[-1]["status"] == "SUBMITTED"
