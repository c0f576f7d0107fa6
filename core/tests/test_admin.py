"""Every page of the admin: it opens, it hides what is secret, it costs few queries."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import crypto
from core.auth import SYSTEM, acting_as
from core.backoffice import columns
from core.backoffice.dashboard import show
from core.models import ApiKey
from core.tests.admin_rows import BANK_NUMBER, PERSONAL, SAID, SSN, model, one_of_everything

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
TABLES = [model._meta.label for model in MODELS]
HAND_MADE = {"auth.User", "core.ApiKey"}


@pytest.fixture
def rows(db):
    one_of_everything(1)


@pytest.fixture
def operator(client, rows):
    client.force_login(User.objects.create_superuser("operator"))
    return client


def list_url(label):
    options = model(label)._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def detail_url(label):
    options = model(label)._meta
    with acting_as(SYSTEM):
        pk = model(label).objects.order_by("pk").first().pk
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])


def secrets_in(text):
    with acting_as(SYSTEM):
        hidden = {
            SSN,
            SSN.replace("-", ""),
            BANK_NUMBER,
            SAID,
            *PERSONAL,
            "sealed",
            "e" * 64,
            "f" * 64,
            "index-of",
            crypto.blind_index(SSN, purpose="tax_id"),
            *ApiKey.objects.values_list("secret_sha256", flat=True),
            *User.objects.exclude(password="").values_list("password", flat=True),
            *model("trading.Approval").objects.values_list("hash", flat=True),
        }
    return {secret for secret in hidden if secret and secret in text}


class TestEveryTable:
    @pytest.mark.parametrize("label", TABLES)
    def test_list_and_detail_open_and_show_no_secret(self, operator, label):
        listed = operator.get(list_url(label))
        shown = operator.get(detail_url(label))

        assert [listed.status_code, shown.status_code] == [200, 200]
        for page in (listed, shown):
            assert secrets_in(page.content.decode()) == set()

    @pytest.mark.parametrize("label", TABLES)
    def test_any_search_is_answered(self, operator, label):
        for words in ("customer-1", str(uuid4()), "' OR 1=1", "ü"):
            assert operator.get(list_url(label), {"q": words}).status_code == 200

    @pytest.mark.parametrize("label", TABLES)
    def test_a_longer_list_costs_no_more_queries(self, operator, label):
        url = list_url(label)
        operator.get(url)
        with CaptureQueriesContext(
            connection,
        ) as few:
            operator.get(url)
        for number in range(2, 6):
            one_of_everything(number)
        with CaptureQueriesContext(connection) as many:
            operator.get(url)

        assert len(many) == len(few)
        assert len(many) < 16

    @pytest.mark.parametrize("label", TABLES)
    def test_who_is_staff_without_rights_sees_nothing(self, client, rows, label):
        client.force_login(User.objects.create_user("newcomer", is_staff=True))

        assert client.get(list_url(label)).status_code == 403
        assert client.get(detail_url(label)).status_code == 403

    @pytest.mark.parametrize("label", TABLES)
    def test_a_stranger_is_sent_to_the_door(self, client, rows, label):
        answer = client.get(list_url(label))

        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize("label", [t for t in TABLES if t not in HAND_MADE])
    def test_nobody_adds_changes_or_deletes(self, operator, label):
        detail = detail_url(label)
        answers = [
            operator.get(list_url(label) + "add/"),
            operator.post(detail, {"state": "ACCEPTED", "amount": "1"}),
            operator.post(detail.replace("/change/", "/delete/"), {"post": "yes"}),
        ]

        assert [answer.status_code for answer in answers] == [403, 403, 403]

    def test_the_sidebar_leads_to_all_of_them(self, operator):
        page = operator.get("/admin/").content.decode()

        assert [label for label in TABLES if f'href="{list_url(label)}"' not in page] == []


class TestWhoIsStuck:
    URL = "/admin/funding/transfer/"

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("stuck=any", 1),
            ("stuck=review", 1),
            ("stuck=unknown", 0),
            ("stuck=late", 0),
            ("age=under-1h", 1),
            ("age=over-1m", 0),
            ("age=nonsense", 1),
            ("state__exact=NEEDS_REVIEW", 1),
            ("q=customer-1", 1),
            ("q=somebody-else", 0),
        ],
    )
    def test_filters_and_searches_find_it(self, operator, query, count):
        answer = operator.get(f"{self.URL}?{query}")

        assert answer.context["cl"].result_count == count

    def test_a_broker_id_finds_its_row(self, operator):
        for label, column in {
            "accounts.BrokerageAccount": "broker_account_id",
            "funding.AchRelationship": "broker_relationship_id",
            "trading.Order": "broker_order_id",
            "trading.Execution": "execution_id",
        }.items():
            with acting_as(SYSTEM):
                known = model(label).objects.values_list(column, flat=True).get()
            answer = operator.get(list_url(label), {"q": known})
            assert answer.context["cl"].result_count == 1, label

    def test_amounts_have_a_dollar_sign_and_two_places(self, operator):
        assert "$1,234.50" in operator.get(self.URL).content.decode()

    def test_parked_events_are_found_and_show_only_what_is_not_personal(self, operator):
        found = operator.get("/admin/core/inboxevent/?state=PARKED")
        none = operator.get("/admin/core/inboxevent/?state=APPLIED")
        shown = operator.get(detail_url("core.InboxEvent")).content.decode()

        assert [found.context["cl"].result_count, none.context["cl"].result_count] == [1, 0]
        assert "order.symbol: AAPL" in shown
        assert "tax_id" not in shown


class TestOverview:
    def test_counts_who_waits_and_links_to_them(self, operator):
        page = operator.get("/admin/").content.decode()

        assert "1 NEEDS_REVIEW" in page
        assert 'href="/admin/funding/transfer/?state__exact=NEEDS_REVIEW"' in page
        assert "1 QUEUED" in page
        assert 'href="/admin/core/inboxevent/?source=alpaca.accounts&amp;state=PARKED"' in page
        assert "stream.1" in page
        assert secrets_in(page) == set()

    def test_shows_each_member_of_staff_only_what_they_may_see(self, rf, rows):
        user = User.objects.create_user("teller", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_transfer"))
        request = rf.get("/admin/")
        request.user = user

        with acting_as(SYSTEM):
            context = show(request, {})

        assert len(context["waiting"]["rows"]) == 1
        assert context["inbox"] is None
        assert context["streams"] is None

    def test_opens_without_redis(self, operator, settings):
        from core import realtime

        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        realtime.connection.cache_clear()
        try:
            page = operator.get("/admin/")
        finally:
            realtime.connection.cache_clear()

        assert page.status_code == 200
        assert "unknown" in page.content.decode()

    def test_costs_few_queries(self, operator):
        with CaptureQueriesContext(connection) as asked:
            operator.get("/admin/")

        assert len(asked) < 25


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h")],
)
def test_a_span_is_told_in_its_largest_unit(seconds, words):
    assert columns.span(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [(None, "-"), ("0", "$0.00"), ("-12.3", "-$12.30"), ("1234567.891", "$1,234,567.89")],
)
def test_dollars_have_two_places(amount, words):
    assert columns.dollars(None if amount is None else Decimal(amount)) == words
