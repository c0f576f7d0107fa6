"""The JSON of the market app."""

from typing import Any

from rest_framework import serializers


class CompanyAnswer(serializers.Serializer[Any]):
    """The reference's shape: the vendor's own fields under `data`."""

    success = serializers.BooleanField()
    data = serializers.DictField()  # type: ignore[assignment]
