"""What the agents remember is sealed anew with everything else."""

import base64
from io import StringIO
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from psycopg.sql import SQL

from agents import checkpoints
from agents.tests.pretend import Pretend
from agents.tests.turns import Ask, kept_messages
from core import crypto

NEW = f"k2:{base64.b64encode(b'k2' * 16).decode()}"


def sealed_with(key_id: str) -> int:
    prefix = crypto.prefix_of(key_id)
    count = "(SELECT count(*) FROM {} WHERE substr(blob, 1, %(length)s) = %(prefix)s)"
    both = " + ".join(map(count.format, ("checkpoint_blobs", "checkpoint_writes")))
    with checkpoints._pool().connection() as connection:
        row = connection.execute(
            SQL(f"SELECT {both} AS n"),
            {"prefix": prefix, "length": len(prefix)},
        ).fetchone()
    assert row is not None
    return int(row["n"])


def test_a_conversation_goes_on_under_the_new_key_alone(
    ask: Ask, pretend: Pretend, settings: Any
) -> None:
    old = settings.FIELD_KEYS[0].split(":")[0]
    conversation_id = uuid4()
    pretend.script([{"content": "One."}, {"content": "Two."}])
    ask("first", conversation_id=conversation_id)
    before = sealed_with(old)
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]

    out = StringIO()
    call_command("rotate_field_keys", stdout=out)

    assert before > 0
    assert (sealed_with(old), sealed_with("k2")) == (0, before)
    assert f"{old} seals nothing: take it out of FIELD_KEYS now." in out.getvalue()
    settings.FIELD_KEYS = [NEW]
    assert ask("second", conversation_id=conversation_id).text == "Two."
    said = [message.text for message in kept_messages(conversation_id)]
    assert [text for text in said if len(text) < 10] == ["first", "One.", "second", "Two."]


def test_a_dry_run_names_their_tables(ask: Ask, pretend: Pretend) -> None:
    pretend.script([{"content": "One."}])
    ask("first")

    out = StringIO()
    call_command("rotate_field_keys", "--dry-run", stdout=out)

    assert "langgraph.checkpoint_blobs" in out.getvalue()
