"""Bodies and answers of closures, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_ACCOUNT: Final = "c73179dc-2de6-4115-a507-0208f419223e"
_BANK: Final = "61e69015-8549-4bfd-b9c3-01e75843f47d"
_CLOSURE: Final = "019b76da-a800-7c3f-9e1f-5b2d8a6c4e10"
_TRANSFER: Final = "be3c368a-4c7c-4384-808e-f02c9f5a8afe"
_NUMBER: Final = "CLR-5B2D8A6C4E10"
_AT: Final = "2026-01-05T15:00:00Z"

READINESS = [
    answered(
        "Ready",
        {
            "ready": True,
            "reason": None,
            "blockers": [],
            "account_status": "ACTIVE",
            "open_orders": 0,
            "open_positions": 2,
            "cash_balance": 5000.00,
            "withdrawable_cash": 5000.00,
            "has_ach_relationship": True,
            "ach_relationships": [
                {"id": _BANK, "bank_name": "First Bank", "account_number_last4": "6789"}
            ],
        },
    ),
    answered(
        "A deposit is on its way",
        {
            "ready": False,
            "reason": "A deposit is still on its way; wait until it has arrived.",
            "blockers": [
                {
                    "code": "deposit_under_way",
                    "detail": "A deposit is still on its way; wait until it has arrived.",
                }
            ],
            "account_status": "ACTIVE",
            "open_orders": 0,
            "open_positions": 0,
            "cash_balance": 0.00,
            "withdrawable_cash": 0.00,
            "has_ach_relationship": True,
            "ach_relationships": [
                {"id": _BANK, "bank_name": "First Bank", "account_number_last4": "6789"}
            ],
        },
    ),
]


def _step(step: str, message: str, **changes: Any) -> dict[str, Any]:
    return {
        "success": True,
        "account_id": _ACCOUNT,
        "closure_id": _CLOSURE,
        "step": step,
        "state": "RUNNING",
        "message": message,
        "problem": None,
        "confirmation_number": _NUMBER,
        **changes,
    }


_BEGUN: Final = _step("initiated", "We are making sure that your account can be closed.")
_PAYING: Final = _step("withdrawing_funds", "Your cash is being paid out to your bank.")
_CANCELING: Final = _step("canceling_orders", "Your open orders are being canceled.")
INITIATE = [
    asked(
        "Close it",
        {
            "ach_relationship_id": _BANK,
            "confirm_liquidation": True,
            "confirm_irreversible": True,
        },
    ),
    answered("Begun", {**_BEGUN, "orders_to_cancel": 0, "positions_to_liquidate": 2}, "202"),
]
_PROGRESS: Final[dict[str, Any]] = {
    "account_id": _ACCOUNT,
    "current_step": "withdrawing_funds",
    "steps_completed": 3,
    "total_steps": 5,
    "status_details": {
        "account_status": "ACTIVE",
        "cash_balance": 5000.00,
        "open_positions": 0,
        "open_orders": 0,
        "ready_for_next_step": True,
    },
    "estimated_completion": "2026-01-09",
    "confirmation_number": _NUMBER,
    "initiated_at": _AT,
    "closure_details": {
        "closure_id": _CLOSURE,
        "state": "RUNNING",
        "message": "Your cash is being paid out to your bank.",
        "problem": None,
        "ach_relationship_id": _BANK,
        "settles_on": "2026-01-06",
        "withdrawals": [
            {
                "transfer_id": _TRANSFER,
                "amount": 5000.00,
                "status": "QUEUED",
                "business_date": "2026-01-06",
                "expected_on": "2026-01-09",
            }
        ],
        "can_be_stopped": False,
        "finished_at": None,
    },
}
PROGRESS = [answered("On its way to the bank", _PROGRESS)]
STATUS = [answered("On its way to the bank", {**_PROGRESS, "success": True})]
SETTLEMENT = [
    answered(
        "Not settled yet",
        {
            "settlement_complete": False,
            "positions_remaining": 0,
            "cash_total": 5000.00,
            "cash_available_for_withdrawal": 3000.00,
            "pending_settlement": 2000.00,
            "estimated_settlement_date": "2026-01-06",
        },
    )
]
WITHDRAWAL = [
    answered(
        "On its way",
        {
            "transfer_completed": False,
            "transfer_status": "QUEUED",
            "amount": 5000.00,
            "completion_date": None,
            "estimated_completion": "2026-01-09",
            "reason": "",
        },
    )
]
NAMED_ACCOUNT = [
    asked("The account", {"account_id": _ACCOUNT}),
    answered("It goes on", _CANCELING, "200", "202"),
]
WITHDRAW = [
    asked("The bank", {"ach_relationship_id": _BANK}),
    answered(
        "On its way",
        {**_PAYING, "transfer_id": _TRANSFER, "transfer_status": "QUEUED", "amount": 5000.00},
        "200",
        "202",
    ),
]
CLOSE = [
    asked("The last yes", {"final_confirmation": True}),
    answered(
        "The broker is asked",
        {
            **_step("closing_account", "The broker is being asked to close your account."),
            "account_status": "ACTIVE",
            "closure_date": None,
        },
        "200",
        "202",
    ),
]
STEP = [answered("It goes on", _PAYING, "200", "202")]
STOP = [
    answered(
        "It will be stopped", _step("liquidating_positions", "What you hold is being sold."), "202"
    )
]
_TASK: Final[dict[str, Any]] = {
    "task_id": _CLOSURE,
    "account_id": _ACCOUNT,
    "status": "running",
    "current_step": "withdrawing_funds",
    "message": "Your cash is being paid out to your bank.",
    "problem": None,
    "started_at": _AT,
    "updated_at": _AT,
    "next_run_at": _AT,
    "finished_at": None,
}
TASK = [answered("It runs", _TASK)]
TASKS = [answered("One closure", {"active_tasks": [_TASK], "total_active": 1})]
