"""Migration operation that has the database itself record every change of a table's states."""

from collections.abc import Sequence
from typing import Any

from core.db.operations import Statements

_TRIGGER = "zz_audit"  # triggers fire by name: after those that may still change the row


class AuditChanges(Statements):
    """
    Record each insert, each delete, and each change of the named columns, whatever makes it.

    The entry holds the old and the new values of these columns and no other, so they must not be
    personal. They are named one by one in the trigger, so that a large column costs nothing.

    :param subject: what a row is, such as `accounts.BrokerageAccount`.
    :param key: the column that names the row; `user_id` says whose it is.
    """

    def __init__(
        self, table: str, *, subject: str, columns: Sequence[str], key: str = "id"
    ) -> None:
        super().__init__(table)
        self.subject = subject
        self.columns = list(columns)
        self.key = key

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        named = {"subject": self.subject, "columns": self.columns, "key": self.key}
        return type(self).__name__, [self.table], named

    def forwards(self) -> list[str]:
        differs = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in self.columns)
        return [
            *self._trigger("added", "INSERT", before="NULL", after=self._values("NEW")),
            *self._trigger("removed", "DELETE", before=self._values("OLD"), after="NULL"),
            *self._trigger(
                "changed",
                "UPDATE",
                before=self._values("OLD"),
                after=self._values("NEW"),
                when=f"WHEN ({differs})",
            ),
        ]

    def backwards(self) -> list[str]:
        names = ", ".join(self._function(what) for what in ("added", "removed", "changed"))
        return [f"DROP FUNCTION IF EXISTS {names} CASCADE"]

    def describe(self) -> str:
        return f"Record changes of {self.table}"

    def _trigger(
        self, what: str, verb: str, *, before: str, after: str, when: str = ""
    ) -> list[str]:
        row = "OLD" if verb == "DELETE" else "NEW"
        values = f"{row}.{self.key}::text, {row}.user_id, {before}, {after}"
        function = self._function(what)
        note = f"PERFORM clera_audit_row('row.{what}', '{self.subject}', {values})"
        body = f"BEGIN {note}; RETURN NULL; END"
        trigger = f'{_TRIGGER}_{what} AFTER {verb} ON "{self.table}" FOR EACH ROW {when}'
        return [
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
            f"CREATE TRIGGER {trigger} EXECUTE FUNCTION {function}()",
        ]

    def _values(self, row: str) -> str:
        pairs = ", ".join(f"'{name}', {row}.{name}" for name in self.columns)
        return f"jsonb_build_object({pairs})"

    def _function(self, what: str) -> str:
        return f"clera_audit_{self.table}_{what}"
