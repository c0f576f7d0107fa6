"""The list of accounts: who waits for whom, who is stuck, and what it costs to ask."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.admin import revealed
from accounts.models import BrokerageAccount
from accounts.services import oversight
from accounts.tests.factories import make_account
from accounts.tests.stuck import SOMEBODY, asked, frozen, one_of_each, told
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.tests.parcels import pass_time
from core.tests.staff_people import member, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/brokerageaccount/"
OURS = {"changing", "frozen", "pending", "review", "strange", "unknown", "uploading"}
CUSTOMERS = {"customer", "request", "slow-customer", "slow-request", "unfinished"}
BROKERS = {"broker", "slow-broker"}
NOBODYS = {
    "active", "address", "anew", "closed", "disabled", "mended", "refused", "taken",
}  # fmt: skip


@pytest.fixture
def viewer():
    return signed_in(member("vic", "viewer"))


def found(client, query):
    return {row.user_id for row in client.get(f"{LIST}?{query}").context["cl"].result_list}


class TestWhoIsStuck:
    @pytest.fixture(autouse=True)
    def _rows(self):
        one_of_each()

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("turn=us", OURS),
            ("turn=customer", CUSTOMERS),
            ("turn=broker", BROKERS),
            ("turn=nobody", NOBODYS),
            ("turn=somebody", OURS | CUSTOMERS | BROKERS | NOBODYS),
            ("stuck=customer", {"slow-customer", "slow-request"}),
            ("stuck=broker", {"slow-broker"}),
            ("stuck=review", {"review"}),
            ("stuck=unknown", {"unknown"}),
            ("stuck=status", {"strange"}),
            ("stuck=requests", {"request", "slow-request"}),
            ("stuck=uploads", {"uploading"}),
            ("stuck=changes", {"changing"}),
            ("stuck=email", {"address", "taken"}),
            ("stuck=frozen", {"frozen"}),
            (
                "stuck=any",
                OURS | {"slow-customer", "slow-request", "slow-broker", "address", "taken"},
            ),
            ("turn=customer&stuck=requests", {"request", "slow-request"}),
            ("state__exact=NEEDS_REVIEW", {"review"}),
            ("vendor_status=SOMETHING_NEW", {"strange"}),
            ("q=frozen", {"frozen"}),
        ],
    )
    def test_each_filter_finds_exactly_its_accounts(self, viewer, query, names):
        assert found(viewer, query) == names

    def test_what_nobody_came_for_is_found(self, viewer):
        assert found(viewer, "stuck=late") == set()
        pass_time(120)
        assert found(viewer, "stuck=late") == {"pending", "unknown"}

    def test_an_answer_of_the_customer_passes_the_turn_on(self, viewer):
        with acting_as(SYSTEM):
            account = BrokerageAccount.objects.get(user_id="slow-customer")
            account.note_status("APPROVED", at=database_now())

        assert found(viewer, "stuck=customer") == {"slow-request"}
        assert "slow-customer" in found(viewer, "turn=broker")
        assert "slow-customer" not in found(viewer, "stuck=broker")

    def test_news_that_came_late_do_not_make_it_look_fresh(self, viewer):
        with acting_as(SYSTEM):
            account = BrokerageAccount.objects.get(user_id="slow-broker")
            account.note_status("SUBMITTED", at=account.created_at)

        assert found(viewer, "stuck=broker") == {"slow-broker"}

    def test_asking_once_more_does_not_make_it_look_fresh(self, viewer):
        with acting_as(SYSTEM):
            account = BrokerageAccount.objects.get(user_id="slow-customer")
        oversight.request_document(
            staff=SOMEBODY, account_id=account.pk, document_type="w8ben", note="Please sign it."
        )

        assert "slow-customer" in found(viewer, "stuck=customer")
        assert "slow-customer" in found(viewer, "stuck=requests")

    def test_the_cards_count_and_lead_to_the_filters(self, viewer):
        cards = viewer.get(LIST).context["standing"].cards

        assert [(card["count"], card["url"]) for card in cards] == [
            (7, f"{LIST}?turn=us"),
            (5, f"{LIST}?turn=customer"),
            (2, f"{LIST}?turn=broker"),
            (9, f"{LIST}?turn=nobody"),
        ]
        for card in cards:
            assert f'href="{card["url"]}"' in viewer.get(LIST).content.decode()

    def test_each_status_is_counted_and_leads_to_its_accounts(self, viewer):
        page = viewer.get(LIST).content.decode()

        assert 'href="?state__exact=ACCEPTED&amp;vendor_status=ACTION_REQUIRED"' in page
        assert "2 ACTION_REQUIRED" in page
        assert 'href="?state__exact=REJECTED"' in page
        assert "3 REJECTED" in page

    def test_the_first_page_counts_whose_turn_it_is(self, viewer):
        page = viewer.get("/admin/").content.decode()

        for whom, words in {
            "us": "we have to act",
            "customer": "the customer has to act",
            "broker": "the broker has to act",
        }.items():
            assert f'href="{LIST}?turn={whom}">Brokerage accounts: {words}</a>' in page
        assert "turn=nobody" not in page

    def test_the_longest_waiting_come_first_when_asked(self, viewer):
        rows = list(viewer.get(f"{LIST}?turn=customer&o=6").context["cl"].result_list)

        assert [row.user_id for row in rows][:2] == ["slow-customer", "slow-request"]


class TestTheList:
    def test_costs_few_queries_however_long_it_is(self, viewer):
        told("one", "ACTIVE")
        viewer.get(LIST)
        with CaptureQueriesContext(connection) as few:
            viewer.get(LIST)
        for number in range(5):
            asked(f"asked-{number}", status="ACTION_REQUIRED")
            frozen(f"frozen-{number}")
        with CaptureQueriesContext(connection) as many:
            viewer.get(LIST)

        about_accounts = [q for q in many.captured_queries if "brokerageaccount" in q["sql"]]
        assert len(many) == len(few)
        assert len(about_accounts) == 4  # the cards, the count, the rows, the statuses to choose

    def test_shows_what_is_missing_and_whose_turn_it_is(self, viewer):
        account = asked("ada", status="ACTION_REQUIRED")
        with acting_as(SYSTEM):
            BrokerageAccount.objects.filter(pk=account.pk).update(requirements=["SELFIE"])

        page = viewer.get(LIST).content.decode()

        assert "<div>SELFIE</div><div>w8ben</div>" in page
        assert "The broker goes no further before the customer acts." in page

    def test_shows_no_address_in_full_and_loads_nothing_sealed(self, viewer):
        make_account("ada")
        with CaptureQueriesContext(connection) as asked_for:
            page = viewer.get(LIST).content.decode()

        assert "o***@example.com" in page
        assert all("sealed_profile" not in query["sql"] for query in asked_for.captured_queries)


class TestFindingByAddress:
    def test_leads_to_the_newest_account_with_it(self, viewer):
        account = make_account("ada")
        email = account.person().email

        answer = viewer.post(f"{LIST}find/", {"email": f" {email.upper()} "})

        assert answer.status_code == 302
        assert answer["Location"] == f"{LIST}{account.pk}/change/"

    def test_says_that_there_is_none(self, viewer):
        page = viewer.post(f"{LIST}find/", {"email": "nobody@example.com"})

        assert page.context["form"].errors == {"email": ["No account has this address."]}

    def test_keeps_addresses_out_of_the_logs_of_servers(self, viewer):
        email = make_account("ada").person().email

        assert viewer.get(f"{LIST}find/?email={email}").status_code == 200

    def test_is_for_who_may_look(self):
        nobody = signed_in(member("otto"))
        assert nobody.post(f"{LIST}find/", {"email": "a@example.com"}).status_code == 403


class TestMasks:
    @pytest.mark.parametrize(
        ("kind", "shown"),
        [("USA_SSN", "•••-••-6789"), ("DEU_TAX_ID", "•••••6789"), ("", "•••••6789")],
    )
    def test_a_tax_id_shows_its_end(self, kind, shown):
        account = BrokerageAccount(tax_id_type=kind, tax_id_last4="6789")
        assert revealed.masked_tax_id(account) == shown

    def test_without_a_tax_id_nothing_is_shown(self):
        assert revealed.masked_tax_id(BrokerageAccount(tax_id_last4="")) == ""

    def test_a_name_shows_its_initials_until_it_is_erased(self):
        account = make_account("ada")
        assert revealed.masked_name(account) == "A*** S***"
        with acting_as(SYSTEM):
            account.forget_person()
        assert revealed.masked_name(account) == ""
