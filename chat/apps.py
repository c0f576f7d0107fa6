"""Chat hears what became of the proposals made in its runs."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from chat import services  # noqa: PLC0415 - apps must be loaded
        from core import events  # noqa: PLC0415
        from trading.events import ProposalSettled  # noqa: PLC0415

        def note(event: ProposalSettled) -> None:
            if event.run_id is not None:  # else nobody talked about it
                services.note_settled_proposal(proposal_id=event.proposal_id, run_id=event.run_id)

        events.subscribe(ProposalSettled, note)
