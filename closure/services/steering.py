"""Moving closures on: facts, decision, action, and its outcome under the row's lock and lease."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from accounts import services as accounts
from closure.models import Closure
from closure.models.closures import keep_lease, take_lease
from closure.saga import SHORTLY, actions, next_action
from closure.services import notices, reading
from closure.services.acting import Done, perform
from closure.services.couriers import ClosingCourier
from closure.states import STOPPABLE, ClosureState, Step
from core.auth import SYSTEM, acting_as
from core.errors import CleraError
from core.failpoints import failpoint
from core.ids import new_id
from core.intents import sending, sweeping
from core.jobs import enqueue

logger = structlog.get_logger()
BATCH: Final = 20
# One pass asks the broker a few times, each within its deadline; whoever dies is waited for so
# long.
LEASE_SECONDS: Final = 35
# So many actions may follow each other before another closure has its turn.
_MOST_ACTIONS: Final = 20
# After something that we cannot name.
_REST: Final = timedelta(minutes=1)


def request_advance(closure_id: UUID) -> None:
    """Have a closure moved on soon."""
    enqueue("closure.advance_closure", closure_id=str(closure_id))


def run_due(*, at: datetime) -> int:
    """
    Move on every closure whose turn it is, and say how many there were.

    One that breaks does not stop the others.
    """
    sweeping.sweep(through=ClosingCourier(), at=at)
    with acting_as(SYSTEM):
        due = list(Closure.objects.due(at=at).values_list("pk", flat=True)[:BATCH])
    for closure_id in due:
        try:
            advance(closure_id, at=at)
        except Exception:
            logger.exception("closure.broken", id=str(closure_id))
            _rest(closure_id, at=at)
    return len(due)


def advance(closure_id: UUID, *, at: datetime) -> bool:
    """
    Do one action after the other until there is something to wait for.

    Says whether it was this caller's turn: one works on a closure at a time.
    """
    holder = new_id()
    with acting_as(SYSTEM):
        if not take_lease(closure_id, holder=holder, seconds=LEASE_SECONDS):
            return False
    failpoint("closure.leased")
    for _ in range(_MOST_ACTIONS):
        if not _pass(closure_id, holder=holder, at=at):
            return True
    _rest(closure_id, at=at, delay=SHORTLY, holder=holder)
    return True


def _pass(closure_id: UUID, *, holder: UUID, at: datetime) -> bool:
    """Do one action, and say whether another one follows at once."""
    with acting_as(SYSTEM):
        closure = Closure.objects.select_related("account", "relationship").get(pk=closure_id)
    sending.release_connection()
    try:
        facts = reading.gather(closure, at=at)
    except CleraError as error:
        done = Done(delay=SHORTLY, problem=error.detail)
    else:
        failpoint("closure.read")
        if not _is_still_ours(closure_id, holder):
            return False
        done = perform(closure, next_action(facts), at=at)
    failpoint("closure.acted")
    goes_on = _record(closure_id, done, holder=holder, at=at)
    failpoint("closure.recorded")
    return goes_on


def _is_still_ours(closure_id: UUID, holder: UUID) -> bool:
    """Claim the time to act: reading may have taken so long that others have decided since."""
    with acting_as(SYSTEM):
        return keep_lease(closure_id, holder=holder, seconds=LEASE_SECONDS)


def _record(closure_id: UUID, done: Done, *, holder: UUID, at: datetime) -> bool:
    """Write down what an action has come to, unless somebody else has taken over since."""
    with acting_as(SYSTEM):
        account_id = Closure.objects.values_list("account_id", flat=True).get(pk=closure_id)
        accounts.lock_account(account_id=account_id)
        closure = Closure.objects.locked(closure_id)
        if closure.lease_holder != holder:
            return False
        if done.end is not None:
            _end(closure, done, done.end, at=at)
            return False
        before = (closure.step, closure.problem)
        _take_in(closure, done, at=at)
        if (closure.step, closure.problem) != before:
            notices.tell(closure)
    logger.info("closure.advanced", id=str(closure_id), step=closure.step, outcome=done.what)
    return done.delay is None


def _take_in(closure: Closure, done: Done, *, at: datetime) -> None:
    if done.what:
        closure.log(done.what, done.words, at=at, **done.details)
    for symbol, changes in done.sales.items():
        closure.note_sale(symbol, changes)
    for name, value in done.changes.items():
        setattr(closure, name, value)
    # Who has asked for it to be stopped was heard in time.
    is_stopped = closure.stop_asked_at is not None and closure.step in STOPPABLE
    if done.move_to is not None and not is_stopped:
        closure.go_to(done.move_to, at=at)
    elif not closure.problem_kind:
        closure.note_problem(done.problem)
    if done.delay is not None:
        closure.next_at = at if is_stopped else at + done.delay
        closure.free()
    closure.save()


def _end(
    closure: Closure,
    done: Done,
    end: actions.Review | actions.Fail | actions.Stop | actions.Finish,
    *,
    at: datetime,
) -> None:
    closure.log(done.what, done.words, at=at, **done.details)
    if isinstance(end, actions.Review):
        closure.note_problem(end.problem, kind=end.kind, about=end.about)
        closure.advance(ClosureState.NEEDS_REVIEW, at=at)
        logger.error("closure.needs_review", id=str(closure.pk), kind=end.kind)
    elif isinstance(end, actions.Finish):
        closure.go_to(Step.DONE, at=at)
        closure.advance(ClosureState.DONE, at=at)
    else:
        is_failure = isinstance(end, actions.Fail)
        closure.note_problem(end.problem if isinstance(end, actions.Fail) else "")
        closure.advance(ClosureState.FAILED if is_failure else ClosureState.CANCELED, at=at)
        accounts.end_closing(principal=SYSTEM, account_id=closure.account_id)
    notices.tell(closure)
    logger.info("closure.ended", id=str(closure.pk), state=closure.state)


def _rest(
    closure_id: UUID, *, at: datetime, delay: timedelta = _REST, holder: UUID | None = None
) -> None:
    """Let the others have their turn."""
    with acting_as(SYSTEM):
        closure = Closure.objects.locked(closure_id)
        if holder is not None and closure.lease_holder != holder:
            return
        closure.next_at = at + delay
        closure.free()
        closure.save(update_fields=["next_at", "lease_holder", "lease_until"])


def wake(*, account_id: UUID, at: datetime) -> int:
    """Have the account's closure look again now, because something has happened to the account."""
    with acting_as(SYSTEM):
        running = Closure.objects.filter(account_id=account_id, state=ClosureState.RUNNING)
        woken = list(running.values_list("pk", flat=True))
        running.filter(next_at__gt=at).update(next_at=at)
        for closure_id in woken:
            request_advance(closure_id)
    return len(woken)
