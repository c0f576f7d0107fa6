"""Tax lots and realised gains over HTTP."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from trading import lot_examples as examples
from trading.selectors import lots as selectors
from trading.serializers import lots as serializers
from trading.services import lot_choices
from trading.states import LotMethod as Method
from trading.views.base import SCOPES, principal_for


class Lots(APIView):
    scopes = SCOPES

    @extend_schema(
        parameters=[serializers.LotsQuery],
        responses=serializers.LotsAnswer,
        examples=examples.LOTS,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List an account's tax lots."""
        form = serializers.LotsQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        asked = dict(form.validated_data)
        page = selectors.list_lots(
            principal=principal_for(request, account_id),
            account_id=account_id,
            is_open=asked.pop("open"),
            **asked,
        )
        return Response(serializers.LotsAnswer(page, context={"at": timezone.now()}).data)


class Gains(APIView):
    scopes = SCOPES

    @extend_schema(
        parameters=[serializers.GainsQuery],
        responses=serializers.GainsAnswer,
        examples=examples.GAINS,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """Show what an account has gained and lost by its sales of a year."""
        form = serializers.GainsQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        gains = selectors.gains_of(
            principal=principal_for(request, account_id),
            account_id=account_id,
            at=timezone.now(),
            **form.validated_data,
        )
        return Response(serializers.GainsAnswer(gains).data)


class LotMethod(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.LotMethodAnswer, examples=examples.LOT_METHOD)
    def get(self, request: Request, account_id: str) -> Response:
        """Show which lots an account's sales take."""
        method = selectors.lot_method_of(
            principal=principal_for(request, account_id), account_id=account_id
        )
        return Response(serializers.LotMethodAnswer({"method": method}).data)

    @extend_schema(
        request=serializers.NewLotMethod,
        responses=serializers.LotMethodAnswer,
        examples=examples.CHOOSE_LOT_METHOD,
    )
    def put(self, request: Request, account_id: str) -> Response:
        """Choose which lots an account's sales take from now on."""
        form = serializers.NewLotMethod(data=request.data)
        form.is_valid(raise_exception=True)
        chosen = lot_choices.set_method(
            principal=principal_for(request, account_id),
            account_id=account_id,
            method=Method(form.validated_data["method"]),
            at=timezone.now(),
        )
        return Response(serializers.LotMethodAnswer(chosen).data)
