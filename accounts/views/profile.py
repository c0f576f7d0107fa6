"""A customer's personal data and preferences."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import examples, selectors, serializers, services
from accounts.states import BuyingPowerDisplay
from core.api import permissions
from core.api.authentication import principal_of
from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key

SCOPES = permissions.scopes("accounts")


class Profile(IdempotentView):
    operation = "accounts.change_contact"
    key_required = False
    scopes = SCOPES

    @extend_schema(responses=serializers.ProfileAnswer, examples=examples.PROFILE)
    def get(self, request: Request, account_id: str) -> Response:
        """Show what the broker knows of the customer; of the tax id only the last four."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        account = selectors.get_account(principal=principal, account_id=account_id)
        shown = services.read_person(principal=principal, account_id=account_id)
        return Response(serializers.profile_answer(account, shown))

    @extend_schema(
        request=serializers.ProfileChange,
        responses={200: serializers.ChangeAnswer, 202: serializers.ChangeAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.CHANGE_PROFILE,
    )
    def patch(self, request: Request, account_id: str) -> Response:
        """Change contact data at the broker; 202 while the broker has not answered."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        form = serializers.ProfileChange(data=request.data)
        form.is_valid(raise_exception=True)
        change = services.change_contact(
            principal=principal,
            account_id=account_id,
            changes=form.to_changes(),
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=timezone.now(),
        )
        done = status.HTTP_200_OK if change.is_accepted else status.HTTP_202_ACCEPTED
        answer = serializers.ChangeAnswer({"success": True, "data": change}).data
        return Response(answer, status=done)


class ProfileFields(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.UpdateableFields, examples=examples.UPDATEABLE_FIELDS)
    def get(self, request: Request, account_id: str) -> Response:
        """Name the fields that a customer may change, and say why the others are fixed."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        selectors.get_account(principal=principal, account_id=account_id)
        return Response(serializers.updateable_fields())


class Preferences(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.PreferencesAnswer, examples=examples.PREFERENCES)
    def get(self, request: Request) -> Response:
        """Show the customer's preferences, or the defaults."""
        found = selectors.get_preferences(principal=principal_of(request))
        return Response(serializers.PreferencesAnswer({"success": True, "preferences": found}).data)


class BuyingPowerPreference(APIView):
    scopes = SCOPES

    @extend_schema(
        request=serializers.BuyingPowerChoice,
        responses=serializers.PreferencesAnswer,
        examples=examples.CHOOSE_BUYING_POWER,
    )
    def patch(self, request: Request) -> Response:
        """Choose whether buying power is shown with or without margin."""
        choice = serializers.BuyingPowerChoice(data=request.data)
        choice.is_valid(raise_exception=True)
        chosen = services.set_buying_power(
            principal=principal_of(request),
            display=BuyingPowerDisplay(choice.validated_data["buying_power"]),
            at=timezone.now(),
        )
        answer = {"success": True, "preferences": chosen}
        return Response(serializers.PreferencesAnswer(answer).data)
