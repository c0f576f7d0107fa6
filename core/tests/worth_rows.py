"""What an account was worth on a day, for the tests of the admin and of row-level security."""

from datetime import timedelta
from decimal import Decimal

from django.apps import apps


def worth_of(account, number, *, at):
    day = at.date() - timedelta(days=number)
    apps.get_model("portfolio.Valuation").objects.create(
        user_id=account.user_id,
        account=account,
        day=day,
        at=at,
        total_value=Decimal("1300.00"),
        cash=Decimal("1000.00"),
        day_return=Decimal("3.00"),
        is_complete=True,
        as_of=at,
        epoch="1.1",
        seq=1,
        source="PUBLISHED",
    )
    apps.get_model("portfolio.BookValuation").objects.create(
        day=day, at=at, finished_at=at, account_count=1, incomplete_count=0
    )
