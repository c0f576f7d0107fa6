"""Moments that matter to a closure, and what its owner was told."""

from datetime import timedelta

from django.apps import apps

from core.auth import SYSTEM, acting_as
from funding.services import dates
from market.facts import new_york_date


def working_day(day):
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


def morning(world):
    """Ten in the morning, in New York, of the next working day."""
    day = working_day(new_york_date(world.at) + timedelta(days=1))
    return dates.midnight(world.at).replace(year=day.year, month=day.month, day=day.day, hour=10)


def unfreeze(world):
    with acting_as(SYSTEM):
        type(world.account).objects.filter(pk=world.account.pk).update(frozen_at=None)


def told(world):
    with acting_as(SYSTEM):
        events = apps.get_model("accounts.AccountEvent").objects
        found = events.filter(account_id=world.account.pk, kind="closure.updated")
        return list(found.order_by("seq").values_list("payload", flat=True))


def during(vendor, name, happen):
    """Let something happen once, while a vendor is being read."""
    original = getattr(vendor, name)

    def call(*args, **kwargs):
        setattr(vendor, name, original)
        happen()
        return original(*args, **kwargs)

    setattr(vendor, name, call)
