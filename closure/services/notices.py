"""What the owner of an account is told of its closure, in sentences for people."""

from typing import Any, Final

from accounts import services as accounts
from closure.models import Closure
from closure.states import COUNTED, ClosureState, Step, completed

UPDATED: Final = "closure.updated"
_STEPS: Final[dict[str, str]] = {
    Step.READINESS: "We are making sure that your account can be closed.",
    Step.CANCEL_ORDERS: "Your open orders are being canceled.",
    Step.LIQUIDATE: "What you hold is being sold.",
    Step.SETTLE: "We wait until what was sold is settled.",
    Step.WITHDRAW: "Your cash is being paid out to your bank.",
    Step.CLOSE: "The broker is being asked to close your account.",
    Step.DONE: "Your account is closed.",
}
_STATES: Final[dict[str, str]] = {
    ClosureState.NEEDS_REVIEW: "Closing your account waits for our staff.",
    ClosureState.DONE: "Your account is closed.",
    ClosureState.CANCELED: "Closing your account was stopped; it stays open.",
    ClosureState.FAILED: "Your account cannot be closed yet.",
}


def sentence_of(closure: Closure) -> str:
    """Say in a sentence how a closure stands."""
    return _STATES.get(closure.state) or _STEPS[closure.step]


def tell(closure: Closure) -> None:
    """Tell the owner how the closure stands, in the caller's transaction."""
    accounts.push(
        account_id=closure.account_id,
        user_id=closure.user_id,
        kind=UPDATED,
        payload=_payload(closure),
    )


def _payload(closure: Closure) -> dict[str, Any]:
    return {
        "closure_id": str(closure.pk),
        "state": closure.state,
        "step": closure.step,
        "steps_completed": completed(closure.step),
        "total_steps": len(COUNTED),
        "sentence": sentence_of(closure),
        "problem": closure.problem,
        "confirmation_number": closure.confirmation_number,
    }
