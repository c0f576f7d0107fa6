"""The JSON of an account's events over HTTP."""

from typing import Any

from rest_framework import serializers


class EventsQuery(serializers.Serializer[Any]):
    """Where to go on, and how much at a time."""

    after = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=10**18 - 1,
        help_text="The `seq` of the last event you have.",
    )
    limit = serializers.IntegerField(default=100, min_value=1, max_value=1000)


class EventRecord(serializers.Serializer[Any]):
    """One event, as the socket sends it."""

    type = serializers.CharField(read_only=True, help_text="Always `event`.")
    seq = serializers.IntegerField(read_only=True)
    kind = serializers.CharField(read_only=True, help_text="Such as `account.status`.")
    at = serializers.DateTimeField(read_only=True)
    payload = serializers.DictField(read_only=True)


class EventsAnswer(serializers.Serializer[Any]):
    """
    The events behind `after`, the oldest first.

    `seq` is the number of the account's last event. `reset` says that events behind `after` are
    not there: read what is now, and go on from `seq`.
    """

    account_id = serializers.CharField(read_only=True)
    seq = serializers.IntegerField(read_only=True)
    oldest = serializers.IntegerField(read_only=True, allow_null=True)
    reset = serializers.BooleanField(read_only=True)
    events = EventRecord(many=True, read_only=True)
