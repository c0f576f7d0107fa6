"""What happens to conversations: questions, answers, and notes about proposals."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, OperationalError, close_old_connections, transaction

from accounts import selectors as accounts
from agents import runtime
from agents.runtime import Answer, ConversationBusy, Progress, Proposed, Question, Token
from chat import frames, selectors
from chat.frames import Frame
from chat.models import LEASE_SECONDS, Conversation, Message, Run
from chat.states import Role
from core import idempotency
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.clock import Now, database_now
from core.errors import CleraError, Invalid, NotFound, VendorUnavailable
from core.ids import new_id
from core.jobs import enqueue
from trading import selectors as trading
from trading.states import ProposalState

logger = structlog.get_logger()
MAX_ATTEMPTS: Final = 3
MAX_UNFINISHED_RUNS: Final = 5
BUSY_SECONDS: Final = 2.0
NUDGE_AFTER_SECONDS: Final = 5.0
_SWEEP_BATCH: Final = 100
NOTES_WINDOW: Final = timedelta(hours=1)
_TITLE_LENGTH: Final = 60


class TooManyRuns(CleraError):
    """The customer has too many questions open."""

    code = "too_many_runs"
    status = 429
    detail = "Wait for the answers to your earlier messages."


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a history that a client brings along."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuestion:
    """What a customer asks, and where."""

    text: str
    conversation_id: UUID | None = None
    account_id: str | None = None
    history: Sequence[Said] = field(default=())


def ask(
    *, principal: Principal, question: NewQuestion, request: idempotency.Request | None = None
) -> Run:
    """
    Keep a question and have it answered in the background.

    :raises NotFound: the conversation or the account is not the principal's.
    :raises Invalid: a service has not said for which customer it asks.
    :raises TooManyRuns: too many earlier questions are still open.
    """
    if principal.user_id is None:
        rule = "Name the customer whose conversation this is."
        raise Invalid(rule, field_errors={"user_id": [rule]})
    account_id = None
    if question.account_id:
        account_id = accounts.get_account(principal=principal, account_id=question.account_id).pk
    with acting_as(principal):
        run_id = new_id()
        first_id = idempotency.claim(request, resource_id=run_id)
        if first_id != run_id:
            return Run.objects.get(pk=first_id)
        _refuse_flood(principal.user_id)
        conversation = _conversation(principal.user_id, question)
        run = Run.objects.create(
            id=run_id,
            user_id=principal.user_id,
            conversation=conversation,
            account_id=account_id,
        )
        Message.objects.create(
            user_id=run.user_id,
            conversation=conversation,
            role=Role.USER,
            content=question.text,
            run=run,
        )
        enqueue("chat.answer_message", run_id=str(run.pk))
    return run


def _refuse_flood(user_id: str) -> None:
    if Run.objects.filter(user_id=user_id).unfinished().count() >= MAX_UNFINISHED_RUNS:
        raise TooManyRuns(retry_after_seconds=5)


def _conversation(user_id: str, question: NewQuestion) -> Conversation:
    """Find the conversation, or begin one with what the client says was said before."""
    if question.conversation_id is not None:
        found = Conversation.objects.filter(pk=question.conversation_id).first()
        if found is None:
            raise NotFound(selectors.NO_CONVERSATION)
        return found
    title = " ".join(question.text.split())[:_TITLE_LENGTH]
    conversation = Conversation.objects.create(user_id=user_id, title=title)
    for said in question.history:
        Message.objects.create(
            user_id=user_id, conversation=conversation, role=said.role, content=said.content
        )
    return conversation


def answer(*, run_id: UUID) -> None:
    """
    Answer the question of a run, unless somebody else does, did, or must first answer another.

    A worker that takes over from a dead one goes on from the last step that was kept.
    """
    holder = new_id()
    run = _take(run_id, holder=holder)
    if run is None:
        return
    log = logger.bind(run_id=str(run_id), attempt=run.attempts)
    try:
        found = _work(run, holder=holder)
    except ConversationBusy:
        _put_back(run, holder=holder, seconds=BUSY_SECONDS, counts=False)
    except VendorUnavailable as error:
        log.warning("run.model_unavailable", error=error.detail)
        if run.attempts < MAX_ATTEMPTS:
            wait = max(error.retry_after_seconds or 0, 2**run.attempts)
            _put_back(run, holder=holder, seconds=min(wait, 30), counts=True)
        else:
            _fail(run, holder=holder, error_code=error.code)
    except CleraError as error:
        log.warning("run.refused", error=error.code)
        _fail(run, holder=holder, error_code=error.code)
    except Exception:
        log.exception("run.broken")
        _fail(run, holder=holder, error_code="internal_error")
    else:
        _finish(run, found)


def _take(run_id: UUID, *, holder: UUID) -> Run | None:
    """Claim the run; under the conversation's lock, so that questions are answered in order."""
    with acting_as(SYSTEM):
        run = Run.objects.filter(pk=run_id).first()
        if run is None or run.is_over:
            return None
        Conversation.objects.select_for_update().get(pk=run.conversation_id)
        earlier = Run.objects.filter(conversation_id=run.conversation_id, pk__lt=run.pk)
        if earlier.unfinished().exists() or not Run.take(run_id, holder=holder):
            return None
        run.refresh_from_db()
    if run.attempts > MAX_ATTEMPTS:
        _fail(run, holder=holder, error_code="gave_up")
        return None
    return run


def _work(run: Run, *, holder: UUID) -> Answer:
    """Run the turn for the customer who asked, telling whoever watches."""
    principal = Principal(kind=Kind.CUSTOMER, user_id=run.user_id)
    with acting_as(principal):
        asked = Message.objects.get(run=run, role=Role.USER)
        now = database_now()
    question = Question(
        principal=principal,
        conversation_id=run.conversation_id,
        run_id=run.pk,
        text=asked.content,
        account_id=run.account_id,
        earlier=selectors.list_earlier(principal=principal, run=run),
    )
    begun = {"run_id": run.pk, "session_id": run.conversation_id, "attempt": run.attempts}
    frames.append(run.pk, Frame("metadata", begun))
    with _lease_kept(run.pk, holder=holder):
        return runtime.run_turn(
            question, emit=lambda progress: _tell(run, principal, progress), at=now
        )


def _tell(run: Run, principal: Principal, progress: Progress) -> None:
    if isinstance(progress, Token):
        metadata = {"message_id": progress.message_id}
        frame = Frame("message_token", {"token": progress.text}, metadata)
    elif isinstance(progress, Proposed):
        proposal = selectors.show_proposals(
            principal=principal, proposal_ids=[progress.proposal_id]
        )[0]
        frame = selectors.interrupt_of(proposal, run)
    else:
        frame = Frame("tool_update", {"toolName": progress.tool, "status": progress.status})
    frames.append(run.pk, frame)


@contextmanager
def _lease_kept(run_id: UUID, *, holder: UUID) -> Iterator[None]:
    """Extend the lease from another thread while the model thinks."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(LEASE_SECONDS / 4):
            try:
                with acting_as(SYSTEM):
                    if not Run.keep(run_id, holder=holder):
                        return
            except OperationalError:
                logger.warning("run.lease_unreachable", run_id=str(run_id))
            finally:
                close_old_connections()

    keeper = threading.Thread(target=keep, daemon=True, name=f"lease-{run_id}")
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _finish(run: Run, found: Answer) -> None:
    """Keep the answer, once: a worker thought dead may bring it as well."""
    with acting_as(SYSTEM):
        is_first = Run.finish(run.pk, proposal_ids=[str(pk) for pk in found.proposal_ids])
        if is_first:
            Message.objects.create(
                user_id=run.user_id,
                conversation_id=run.conversation_id,
                role=Role.ASSISTANT,
                content=found.text,
                run=run,
            )
            _go_on(run)
    if is_first:
        _tell_end(run)


def _fail(run: Run, *, holder: UUID, error_code: str) -> None:
    with acting_as(SYSTEM):
        is_first = Run.fail(run.pk, holder=holder, error_code=error_code)
        if is_first:
            _go_on(run)
    if is_first:
        _tell_end(run)


def _put_back(run: Run, *, holder: UUID, seconds: float, counts: bool) -> None:
    with acting_as(SYSTEM):
        Run.put_back(run.pk, holder=holder, seconds=seconds, counts=counts)


def _go_on(run: Run) -> None:
    """Have the next question of the conversation answered."""
    waiting = Run.objects.filter(conversation_id=run.conversation_id).unfinished()
    following = waiting.order_by("pk").values_list("pk", flat=True).first()
    if following is not None:
        enqueue("chat.answer_message", run_id=str(following))


def _tell_end(run: Run) -> None:
    view = selectors.get_run(principal=SYSTEM, run_id=run.pk)
    frames.append(run.pk, selectors.ending_of(view))


def sweep() -> None:
    """Do what a lost nudge or a lost event has left undone."""
    sweep_runs()
    note_missed_proposals()


def sweep_runs() -> int:
    """Have every run answered that waits too long or whose worker died; returns how many."""
    with acting_as(SYSTEM):
        overdue = Run.objects.overdue(NUDGE_AFTER_SECONDS).order_by("pk")
        ids = list(overdue.values_list("pk", flat=True)[:_SWEEP_BATCH])
    for run_id in ids:
        enqueue("chat.answer_message", run_id=str(run_id))
    return len(ids)


_NOTES: Final = {
    ProposalState.APPROVED: "The customer approved the proposal “{text}” It is on its way.",
    ProposalState.REJECTED: "The customer rejected the proposal “{text}” Nothing was ordered.",
    ProposalState.EXPIRED: "The proposal “{text}” ran out of time. Nothing was ordered.",
    ProposalState.SUPERSEDED: (
        "The price left the range of the proposal “{text}” Nothing was ordered, and a fresh"
        " proposal at the new price waits for the customer."
    ),
}
_REFUSED: Final = "The customer approved the proposal “{text}” An order was refused: {reason}"


def note_settled_proposal(*, proposal_id: UUID, run_id: UUID) -> None:
    """Say once, in the conversation it came from, what became of a proposal."""
    proposal = trading.get_proposal(principal=SYSTEM, proposal_id=proposal_id)
    note = _NOTES.get(ProposalState(proposal.state))
    refused = [order.reason for order in proposal.orders if order.is_refused]
    if refused:
        note = _REFUSED
    reason = " ".join(refused)
    with acting_as(SYSTEM):
        run = Run.objects.filter(pk=run_id, user_id=proposal.user_id).first()
        if run is None or note is None:
            return
        try:
            with transaction.atomic():
                Message.objects.create(
                    user_id=run.user_id,
                    conversation_id=run.conversation_id,
                    role=Role.SYSTEM,
                    content=note.format(text=proposal.summary, reason=reason),
                    run=run,
                    proposal_id=proposal_id,
                )
        except IntegrityError:
            logger.info("chat.proposal_noted_before", proposal_id=str(proposal_id))


def note_missed_proposals() -> None:
    """Note the proposals of the last hour that were settled by a process that then died."""
    with acting_as(SYSTEM):
        runs = Run.objects.filter(finished_at__gte=Now() - NOTES_WINDOW).exclude(proposal_ids=[])
        run_ids = list(runs.values_list("pk", flat=True))
    suggested = trading.list_proposals_of_runs(principal=SYSTEM, run_ids=run_ids)
    made = {proposal.pk: run_id for run_id, some in suggested.items() for proposal in some}
    with acting_as(SYSTEM):
        noted = Message.objects.filter(proposal_id__in=made)
        known = set(noted.values_list("proposal_id", flat=True))
    for proposal_id in made.keys() - known:
        note_settled_proposal(proposal_id=proposal_id, run_id=made[proposal_id])
