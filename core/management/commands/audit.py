"""Check the audit trail, show its end, and list what happened to one thing or one customer."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import audit
from core.audit import chain
from core.audit.models import AuditEntry
from core.auth import SYSTEM, acting_as


class Command(BaseCommand):
    help = "The audit trail: verify it, print its head to keep elsewhere, or show entries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="recompute every hash; name the first that lies")
        verify.add_argument("--head", help="SEQ:HASH that was kept elsewhere and must be in it")
        actions.add_parser("head", help="print the end of the chain, to keep elsewhere")
        show = actions.add_parser("show", help="list entries, the oldest first")
        show.add_argument("--subject", help="the id of an account, transfer, order, key ...")
        show.add_argument("--customer", help="the customer's user id")
        show.add_argument("--limit", type=int, default=100)

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)

    def _verify(self, options: dict[str, Any]) -> None:
        anchored = _read_head(options["head"]) if options["head"] else None
        chain.extend()
        finding = chain.verify(anchored=anchored)
        _note(finding)
        if finding.fault is not None:
            where = finding.fault.entry_id
            what = f"entry {where}: {finding.fault.what}" if where else finding.fault.what
            raise CommandError(f"The audit trail does not hold at {what}.")
        self.stdout.write(
            f"The audit trail holds: {finding.head.seq} entries, {finding.waiting} not linked yet."
        )
        self.stdout.write(f"Its head, to keep elsewhere: {finding.head}")

    def _head(self, _: dict[str, Any]) -> None:
        self.stdout.write(str(chain.head()))

    def _show(self, options: dict[str, Any]) -> None:
        wanted = {"subject_id": options["subject"], "user_id": options["customer"]}
        with acting_as(SYSTEM):
            found = AuditEntry.objects.filter(**{k: v for k, v in wanted.items() if v})
            newest = list(found.order_by("-pk")[: options["limit"]])
        for entry in reversed(newest):
            self.stdout.write(
                f"{entry.pk:>8}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.principal:30}"
                f"  {entry.action:16}  {entry.subject_kind} {entry.subject_id}  {entry.details}"
            )


def _note(finding: chain.Finding) -> None:
    """Put on record that somebody checked, and what came of it; the admin shows the last time."""
    fault = finding.fault
    audit.record(
        "audit.verified" if fault is None else "audit.fault_found",
        principal="manage.py",
        subject_kind="core.AuditLink",
        subject_id=chain.SUBJECT,
        links=finding.head.seq,
        **({"hash": finding.head.hash} if fault is None else {"what": fault.what}),
    )


def _read_head(text: str) -> chain.Head:
    seq, _, found = text.partition(":")
    if not seq.isdecimal() or not found:
        raise CommandError("Write the head as SEQ:HASH, as `manage.py audit head` prints it.")
    return chain.Head(int(seq), found)
