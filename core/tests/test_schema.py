"""What OpenAPI says about credentials, problems and exact numbers."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.fields import MoneyField, ReferenceMoney, StrictSerializer
from core.api.schema import ACT_FOR, idempotency_key


class Payment(StrictSerializer):
    amount = MoneyField()
    total = ReferenceMoney()


class Payments(APIView):
    @extend_schema(
        request=Payment,
        responses=Payment,
        parameters=[ACT_FOR, idempotency_key(is_required=True)],
    )
    def post(self, request: Request) -> Response:
        """Pay."""
        return Response({})


@pytest.fixture(scope="module")
def document():
    from django.urls import path

    return SchemaGenerator(patterns=[path("pay", Payments.as_view())]).get_schema(public=True)


class TestSchema:
    def test_offers_both_credentials(self, document):
        schemes = document["components"]["securitySchemes"]
        described = {name: scheme.pop("description") for name, scheme in schemes.items()}

        assert schemes == {
            "bearerToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        assert "Supabase" in described["bearerToken"]
        assert "clr_" in described["apiKey"]
        assert document["paths"]["/pay"]["post"]["security"] == [
            {"bearerToken": []},
            {"apiKey": []},
        ]

    def test_gives_every_operation_the_problem_answer(self, document):
        answer = document["paths"]["/pay"]["post"]["responses"]["default"]
        assert answer["content"]["application/problem+json"]["schema"] == {
            "$ref": "#/components/schemas/Problem"
        }
        assert "field_errors" in document["components"]["schemas"]["Problem"]["properties"]

    def test_asks_for_the_headers_that_a_view_names(self, document):
        parameters = document["paths"]["/pay"]["post"]["parameters"]
        assert [(p["name"], p["in"], p.get("required", False)) for p in parameters] == [
            ("Idempotency-Key", "header", True),
            ("X-Act-For", "header", False),
        ]

    def test_describes_every_route_of_the_core(self):
        paths = SchemaGenerator(urlconf="core.urls").get_schema(public=True)["paths"]
        assert sorted(paths) == ["/api/health", "/api/ready", "/health"]
        assert sorted(paths["/api/ready"]["get"]["responses"]) == ["200", "503", "default"]
        assert paths["/api/ready"]["get"]["security"] == [{}]

    def test_shows_money_as_a_string_and_reference_money_as_a_number(self, document):
        fields = document["components"]["schemas"]["Payment"]["properties"]
        assert (fields["amount"]["type"], fields["total"]["type"]) == ("string", "number")
