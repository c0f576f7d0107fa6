"""Closing an account over HTTP: under the reference's prefix and under `/api/`."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors as accounts
from closure import examples, selectors, serializers
from closure.models import Closure
from closure.services import starting, wishes
from closure.states import ClosureState, Step
from core.api import permissions
from core.api.authentication import principal_of
from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from core.auth import Principal
from funding import selectors as funding

SCOPES = permissions.scopes("funding")


def principal_for(request: Request, account_id: str) -> Principal:
    """Let a service that names only an account act for its owner, as the reference has it."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)


def _code(closure: Closure) -> int:
    """Answer 202 while something is still to come."""
    is_over = closure.state == ClosureState.DONE
    return status.HTTP_200_OK if is_over else status.HTTP_202_ACCEPTED


class Readiness(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.ReadinessAnswer, examples=examples.READINESS)
    def get(self, request: Request, account_id: str) -> Response:
        """Say whether an account may be closed now, and what stands in the way."""
        found = selectors.readiness(
            principal=principal_for(request, account_id), account_id=account_id
        )
        return Response(serializers.ReadinessAnswer(found).data)


class Initiations(IdempotentView):
    operation = "closure.initiate"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewClosure,
        responses={202: serializers.InitiateAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.INITIATE,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """
        Begin to close an account: sell all that is held, pay out all cash, end it.

        It goes on by itself over days. Until the first withdrawal it may be stopped.
        """
        form = serializers.NewClosure(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        principal = principal_for(request, account_id)
        meaning = {name: data[name] for name in starting.CONFIRMATIONS}
        closure = starting.initiate(
            principal=principal,
            account_id=account_id,
            relationship_id=data["ach_relationship_id"],
            request=self.idempotency(request, content=meaning, principal=principal),
            at=timezone.now(),
            **meaning,
        )
        return Response(_initiated(principal, closure), status=status.HTTP_202_ACCEPTED)


def _initiated(principal: Principal, closure: Closure) -> dict[str, Any]:
    found = selectors.readiness(principal=principal, account_id=closure.account_id)
    return {
        **serializers.StepAnswer(closure).data,
        "orders_to_cancel": len(found.orders),
        "positions_to_liquidate": len(found.positions),
    }


class Status(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.StatusAnswer, examples=examples.STATUS)
    def get(self, request: Request, account_id: str) -> Response:
        """Say how far the latest closure of an account has come."""
        return Response(serializers.StatusAnswer(_progress(request, account_id)).data)


class Progress(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.ProgressAnswer, examples=examples.PROGRESS)
    def get(self, request: Request, account_id: str) -> Response:
        """Say how far the latest closure of an account has come."""
        return Response(serializers.ProgressAnswer(_progress(request, account_id)).data)


def _progress(request: Request, account_id: str) -> selectors.Progress:
    return selectors.progress(
        principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
    )


class SettlementStatus(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.SettlementAnswer, examples=examples.SETTLEMENT)
    def get(self, request: Request, account_id: str) -> Response:
        """Say whether what the closure has sold is settled."""
        return Response(serializers.SettlementAnswer(_progress(request, account_id)).data)


class WithdrawalStatus(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.WithdrawalStatusAnswer, examples=examples.WITHDRAWAL)
    def get(self, request: Request, account_id: str, transfer_id: str) -> Response:
        """Say how a withdrawal stands, named by our id or by the broker's."""
        transfer = funding.get_transfer(
            principal=principal_for(request, account_id),
            account_id=account_id,
            transfer_id=transfer_id,
        )
        return Response(serializers.WithdrawalStatusAnswer(transfer).data)


class CanceledOrders(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.ClosureOfAccount,
        responses={200: serializers.StepAnswer, 202: serializers.StepAnswer},
        examples=examples.NAMED_ACCOUNT,
    )
    def post(self, request: Request) -> Response:
        """Have the running closure cancel the open orders now; it would do so by itself."""
        return _named_step(request, Step.CANCEL_ORDERS)


class LiquidatedPositions(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.ClosureOfAccount,
        responses={200: serializers.StepAnswer, 202: serializers.StepAnswer},
        examples=examples.NAMED_ACCOUNT,
    )
    def post(self, request: Request) -> Response:
        """Have the running closure sell what is held now; it would do so by itself."""
        return _named_step(request, Step.LIQUIDATE)


def _named_step(request: Request, step: Step) -> Response:
    form = serializers.ClosureOfAccount(data=request.data)
    form.is_valid(raise_exception=True)
    account_id = form.validated_data["account_id"]
    closure = wishes.go_on(
        principal=principal_for(request, account_id),
        account_id=account_id,
        steps=() if step == Step.CANCEL_ORDERS else (Step.CANCEL_ORDERS,),
        at=timezone.now(),
    )
    return Response(serializers.StepAnswer(closure).data, status=_code(closure))


class Withdrawals(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.BankNamed,
        responses={200: serializers.WithdrawAnswer, 202: serializers.WithdrawAnswer},
        examples=examples.WITHDRAW,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """
        Have the running closure pay out now what may leave, and show the latest withdrawal.

        Asking again sends nothing twice: there is one withdrawal on a working day.
        """
        form = serializers.BankNamed(data=request.data)
        form.is_valid(raise_exception=True)
        principal = principal_for(request, account_id)
        closure = wishes.go_on(
            principal=principal,
            account_id=account_id,
            steps=(Step.WITHDRAW,),
            relationship_id=form.validated_data["ach_relationship_id"],
            at=timezone.now(),
        )
        latest = next(iter(selectors.withdrawals_of(closure, principal=principal)), None)
        answer = {
            **serializers.StepAnswer(closure).data,
            "transfer_id": latest and latest.public_id,
            "transfer_status": latest and latest.public_status,
            "amount": latest and latest.amount,
        }
        return Response(answer, status=_code(closure))


class ClosedAccounts(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.FinalConfirmation,
        responses={200: serializers.CloseAnswer, 202: serializers.CloseAnswer},
        examples=examples.CLOSE,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Confirm once more, and have the broker asked to close the account if it is empty."""
        form = serializers.FinalConfirmation(data=request.data)
        form.is_valid(raise_exception=True)
        wishes.demand_final(form.validated_data["final_confirmation"])
        closure = wishes.go_on(
            principal=principal_for(request, account_id),
            account_id=account_id,
            steps=(Step.CLOSE,),
            confirmed="final_confirmation",
            at=timezone.now(),
        )
        return Response(serializers.CloseAnswer(closure).data, status=_code(closure))


class Resumptions(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=None,
        responses={200: serializers.StepAnswer, 202: serializers.StepAnswer},
        examples=examples.STEP,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Have the running closure look now whether it can go on."""
        closure = wishes.go_on(
            principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.StepAnswer(closure).data, status=_code(closure))


class TaskStatus(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.TaskAnswer, examples=examples.TASK)
    def get(self, request: Request, account_id: str) -> Response:
        """Show the latest closure of an account as a task of the background."""
        closure = selectors.get_closure(
            principal=principal_for(request, account_id), account_id=account_id
        )
        return Response(serializers.TaskAnswer(closure).data)


class CanceledTasks(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=None,
        responses={202: serializers.StepAnswer},
        examples=examples.STOP,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Stop the closure, which is possible until the first withdrawal; what was sold is sold."""
        closure = wishes.stop(
            principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.StepAnswer(closure).data, status=status.HTTP_202_ACCEPTED)


class ActiveTasks(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.TasksAnswer, examples=examples.TASKS)
    def get(self, request: Request) -> Response:
        """List the asker's own closures that are not over."""
        found = selectors.list_live(principal=principal_of(request))
        answer = {"active_tasks": found, "total_active": len(found)}
        return Response(serializers.TasksAnswer(answer).data)
