"""The JSON of closures: the reference's bodies, and what we answer in its shapes."""

from typing import Any, Final

from rest_framework import serializers

from closure import selectors
from closure.models import Closure
from closure.services import notices
from closure.states import COUNTED, ClosureState, Step, completed
from core.api.fields import (
    ReferenceMoney,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
)
from funding import states as funding_states

# The original's words for its steps.
STEPS: Final[dict[str, str]] = {
    Step.READINESS: "initiated",
    Step.CANCEL_ORDERS: "canceling_orders",
    Step.LIQUIDATE: "liquidating_positions",
    Step.SETTLE: "waiting_settlement",
    Step.WITHDRAW: "withdrawing_funds",
    Step.CLOSE: "closing_account",
    Step.DONE: "completed",
}
_OVER: Final[dict[str, str]] = {ClosureState.FAILED: "failed", ClosureState.CANCELED: "canceled"}


def step_of(closure: Closure) -> str:
    """Name the step in the original's words."""
    return _OVER.get(closure.state) or STEPS[closure.step]


# Bodies


class NewClosure(StrictSerializer):
    """The reference's body."""

    ignores_unknown = True
    ach_relationship_id = StrictCharField(max_length=64)
    confirm_liquidation = StrictBooleanField(required=False, default=False)
    confirm_irreversible = StrictBooleanField(required=False, default=False)


class BankNamed(StrictSerializer):
    """Where the money is to go; the closure knows it already."""

    ignores_unknown = True
    ach_relationship_id = StrictCharField(max_length=64, required=False, default=None)


class FinalConfirmation(StrictSerializer):
    """The last yes."""

    ignores_unknown = True
    final_confirmation = StrictBooleanField()


class ClosureOfAccount(StrictSerializer):
    """Which account is meant."""

    ignores_unknown = True
    account_id = StrictCharField(max_length=64)


# Answers


class BankLine(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", read_only=True)
    bank_name = serializers.SerializerMethodField()
    account_number_last4 = serializers.CharField(source="number_last4", read_only=True)

    def get_bank_name(self, bank: Any) -> str | None:
        """Return nothing where nobody has told the name."""
        return bank.bank_name or bank.nickname or None


class BlockerLine(serializers.Serializer[Any]):
    code = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class ReadinessAnswer(serializers.Serializer[selectors.Readiness]):
    """Whether the account may be closed; `reason` and `blockers` say what is in the way."""

    ready = serializers.BooleanField(source="is_ready", read_only=True)
    reason = serializers.SerializerMethodField()
    blockers = BlockerLine(many=True, read_only=True)
    account_status = serializers.CharField(source="account.public_status", read_only=True)
    open_orders = serializers.SerializerMethodField()
    open_positions = serializers.SerializerMethodField()
    cash_balance = ReferenceMoney(source="cash.cash", read_only=True, default=None, allow_null=True)
    withdrawable_cash = ReferenceMoney(
        source="cash.withdrawable", read_only=True, default=None, allow_null=True
    )
    has_ach_relationship = serializers.SerializerMethodField()
    ach_relationships = BankLine(source="banks", many=True, read_only=True)

    def get_reason(self, it: selectors.Readiness) -> str | None:
        """Join the sentences."""
        return " ".join(each.detail for each in it.blockers) or None

    def get_open_orders(self, it: selectors.Readiness) -> int:
        """Count them."""
        return len(it.orders)

    def get_open_positions(self, it: selectors.Readiness) -> int:
        """Count them."""
        return len(it.positions)

    def get_has_ach_relationship(self, it: selectors.Readiness) -> bool:
        """Say whether the money has somewhere to go."""
        return bool(it.banks)


class StepAnswer(serializers.Serializer[Closure]):
    """How a closure stands after something was asked of it."""

    success = serializers.SerializerMethodField()
    account_id = serializers.CharField(source="account.public_id", read_only=True)
    closure_id = serializers.UUIDField(source="pk", read_only=True)
    step = serializers.SerializerMethodField()
    state = serializers.CharField(read_only=True)
    message = serializers.SerializerMethodField()
    problem = serializers.SerializerMethodField()
    confirmation_number = serializers.CharField(read_only=True)

    def get_success(self, closure: Closure) -> bool:
        """Say whether the closure has not failed."""
        return closure.state != ClosureState.FAILED

    def get_step(self, closure: Closure) -> str:
        """Name the step."""
        return step_of(closure)

    def get_message(self, closure: Closure) -> str:
        """Say it in a sentence."""
        return notices.sentence_of(closure)

    def get_problem(self, closure: Closure) -> str | None:
        """Say what it waits for, if that is not usual."""
        return closure.problem or None


class InitiateAnswer(StepAnswer):
    """The closure has begun; the counts are what is to be canceled and sold."""

    orders_to_cancel = serializers.IntegerField(read_only=True)
    positions_to_liquidate = serializers.IntegerField(read_only=True)


class WithdrawAnswer(StepAnswer):
    """The latest withdrawal, or nulls before the first."""

    transfer_id = serializers.CharField(read_only=True, allow_null=True)
    transfer_status = serializers.CharField(read_only=True, allow_null=True)
    amount = ReferenceMoney(read_only=True, allow_null=True)


class CloseAnswer(StepAnswer):
    """Whether the account is closed by now."""

    account_status = serializers.CharField(source="account.public_status", read_only=True)
    closure_date = serializers.DateTimeField(source="finished_at", read_only=True, allow_null=True)


class StatusDetails(serializers.Serializer[selectors.Progress]):
    account_status = serializers.CharField(source="account.public_status", read_only=True)
    cash_balance = ReferenceMoney(source="cash", read_only=True, allow_null=True)
    open_positions = serializers.IntegerField(read_only=True)
    open_orders = serializers.IntegerField(read_only=True)
    ready_for_next_step = serializers.BooleanField(source="is_ready_for_next_step", read_only=True)


class WithdrawalLine(serializers.Serializer[Any]):
    transfer_id = serializers.CharField(source="public_id", read_only=True)
    amount = ReferenceMoney(read_only=True)
    status = serializers.CharField(source="public_status", read_only=True)
    business_date = serializers.DateField(read_only=True, allow_null=True)
    expected_on = serializers.DateField(read_only=True, allow_null=True)


class ClosureDetails(serializers.Serializer[selectors.Progress]):
    closure_id = serializers.UUIDField(source="closure.pk", read_only=True)
    state = serializers.CharField(source="closure.state", read_only=True)
    message = serializers.SerializerMethodField()
    problem = serializers.SerializerMethodField()
    ach_relationship_id = serializers.CharField(
        source="closure.relationship.public_id", read_only=True
    )
    settles_on = serializers.DateField(source="closure.settles_on", read_only=True, allow_null=True)
    withdrawals = WithdrawalLine(many=True, read_only=True)
    can_be_stopped = serializers.BooleanField(source="closure.is_stoppable", read_only=True)
    finished_at = serializers.DateTimeField(
        source="closure.finished_at", read_only=True, allow_null=True
    )

    def get_message(self, it: selectors.Progress) -> str:
        """Say it in a sentence."""
        return notices.sentence_of(it.closure)

    def get_problem(self, it: selectors.Progress) -> str | None:
        """Say what it waits for, if that is not usual."""
        return it.closure.problem or None


class ProgressAnswer(serializers.Serializer[selectors.Progress]):
    """How far a closure has come, in the original's shape."""

    account_id = serializers.CharField(source="account.public_id", read_only=True)
    current_step = serializers.SerializerMethodField()
    steps_completed = serializers.SerializerMethodField()
    total_steps = serializers.SerializerMethodField()
    status_details = StatusDetails(source="*", read_only=True)
    estimated_completion = serializers.DateField(
        source="estimated_on", read_only=True, allow_null=True
    )
    confirmation_number = serializers.CharField(
        source="closure.confirmation_number", read_only=True
    )
    initiated_at = serializers.DateTimeField(source="closure.created_at", read_only=True)
    closure_details = ClosureDetails(source="*", read_only=True)

    def get_current_step(self, it: selectors.Progress) -> str:
        """Name the step."""
        return step_of(it.closure)

    def get_steps_completed(self, it: selectors.Progress) -> int:
        """Count the steps that are behind it."""
        return completed(it.closure.step)

    def get_total_steps(self, _: selectors.Progress) -> int:
        """Count the steps."""
        return len(COUNTED)


class StatusAnswer(ProgressAnswer):
    """The progress, in the wrapper of the original's other route."""

    success = serializers.SerializerMethodField()

    def get_success(self, _: selectors.Progress) -> bool:
        """Return true: a failure is answered as a problem."""
        return True


class SettlementAnswer(serializers.Serializer[selectors.Progress]):
    """Whether what was sold is settled; null is what nobody can tell."""

    settlement_complete = serializers.SerializerMethodField()
    positions_remaining = serializers.IntegerField(source="open_positions", read_only=True)
    cash_total = ReferenceMoney(source="cash", read_only=True, allow_null=True)
    cash_available_for_withdrawal = ReferenceMoney(
        source="withdrawable", read_only=True, allow_null=True
    )
    pending_settlement = serializers.SerializerMethodField()
    estimated_settlement_date = serializers.SerializerMethodField()

    def get_settlement_complete(self, it: selectors.Progress) -> bool:
        """Say whether the closure is past that step."""
        return completed(it.closure.step) > COUNTED.index(Step.SETTLE)

    def get_pending_settlement(self, it: selectors.Progress) -> Any:
        """Return what the broker has not released yet."""
        if it.cash is None or it.withdrawable is None:
            return None
        return max(it.cash - it.withdrawable, it.cash * 0)

    def get_estimated_settlement_date(self, it: selectors.Progress) -> str | None:
        """Return the day, once what is held is sold and while it is not settled."""
        if self.get_settlement_complete(it) or it.closure.settles_on is None:
            return None
        return str(it.closure.settles_on)


class WithdrawalStatusAnswer(serializers.Serializer[Any]):
    """How a withdrawal stands."""

    transfer_completed = serializers.SerializerMethodField()
    transfer_status = serializers.CharField(source="public_status", read_only=True)
    amount = ReferenceMoney(read_only=True)
    completion_date = serializers.SerializerMethodField()
    estimated_completion = serializers.SerializerMethodField()
    reason = serializers.CharField(read_only=True)

    def get_transfer_completed(self, transfer: Any) -> bool:
        """Say whether the money has arrived."""
        arrived = funding_states.TRANSFER_ARRIVED
        return bool(transfer.is_accepted and transfer.vendor_status in arrived)

    def get_completion_date(self, transfer: Any) -> str | None:
        """Return when it arrived."""
        if not self.get_transfer_completed(transfer) or transfer.vendor_status_at is None:
            return None
        return str(transfer.vendor_status_at.isoformat())

    def get_estimated_completion(self, transfer: Any) -> str | None:
        """Return by when it should arrive, while it is on its way."""
        if not selectors.is_unfinished(transfer) or transfer.expected_on is None:
            return None
        return str(transfer.expected_on)


class TaskAnswer(serializers.Serializer[Closure]):
    """A closure as the background task that the original made of it."""

    task_id = serializers.UUIDField(source="pk", read_only=True)
    account_id = serializers.CharField(source="account.public_id", read_only=True)
    status = serializers.SerializerMethodField()
    current_step = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()
    problem = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(source="created_at", read_only=True)
    updated_at = serializers.DateTimeField(source="moved_at", read_only=True)
    next_run_at = serializers.SerializerMethodField()
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_status(self, closure: Closure) -> str:
        """Name the state in lower case, as the original did."""
        return closure.state.lower()

    def get_current_step(self, closure: Closure) -> str:
        """Name the step."""
        return step_of(closure)

    def get_message(self, closure: Closure) -> str:
        """Say it in a sentence."""
        return notices.sentence_of(closure)

    def get_problem(self, closure: Closure) -> str | None:
        """Say what it waits for, if that is not usual."""
        return closure.problem or None

    def get_next_run_at(self, closure: Closure) -> str | None:
        """Return when it is looked at next, while it goes on by itself."""
        is_running = closure.state == ClosureState.RUNNING
        return closure.next_at.isoformat() if is_running else None


class TasksAnswer(serializers.Serializer[Any]):
    """The closures that are not over."""

    active_tasks = TaskAnswer(many=True, read_only=True)
    total_active = serializers.IntegerField(read_only=True)
