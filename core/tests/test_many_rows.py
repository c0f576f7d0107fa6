"""Many rows are saved in one statement, and exactly as one by one."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from core.db.many_rows import save_columns
from core.inbox import InboxEvent

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 15, 0, 0, 123456, tzinfo=UTC)


def make(count):
    return InboxEvent.objects.bulk_create(
        InboxEvent(source="post", external_id=str(number), payload={"n": number})
        for number in range(count)
    )


def reread(row):
    return InboxEvent.objects.get(pk=row.pk)


def test_saves_the_named_columns_of_every_row_and_no_other():
    first, second, other = make(3)
    first.applied_at, first.error, first.payload = AT, 'it\'s "odd" \\ %s', ["a", {"b": None}]
    second.attempts, second.error = 3, ""
    first.source = "not named"

    with CaptureQueriesContext(connection) as queries:
        save_columns([first, second], ["applied_at", "attempts", "error", "payload"])

    assert len(queries) == 1
    assert reread(first).applied_at == AT
    assert reread(first).error == 'it\'s "odd" \\ %s'
    assert reread(first).payload == ["a", {"b": None}]
    assert reread(first).source == "post"
    assert (reread(second).attempts, reread(second).applied_at) == (3, None)
    assert reread(other).payload == {"n": 2}


def test_nothing_to_save_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        save_columns([], ["error"])


def test_what_does_not_fit_is_refused_as_always():
    [row] = make(1)
    row.error = "x" * 201

    with pytest.raises(DataError):
        save_columns([row], ["error"])
