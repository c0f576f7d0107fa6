"""Migration operation that lets rows of a table be added and read, and nothing else."""

from core.db.operations import Statements
from core.db.row_security import AGENTS_ROLE, APP_ROLE


class AppendOnly(Statements):
    """
    Have the database itself refuse to change or remove what a table holds.

    Privileges bind the product's roles, and a trigger the owner of the table as well. Stands
    after the operation that grants the table's use.
    """

    def forwards(self) -> list[str]:
        moments = f'BEFORE UPDATE OR DELETE OR TRUNCATE ON "{self.table}" FOR EACH STATEMENT'
        return [
            f'REVOKE UPDATE, DELETE, TRUNCATE ON "{self.table}" FROM {APP_ROLE}, {AGENTS_ROLE}',
            f"CREATE TRIGGER append_only {moments} EXECUTE FUNCTION clera_append_only()",
        ]

    def backwards(self) -> list[str]:
        return [f'DROP TRIGGER append_only ON "{self.table}"']

    def describe(self) -> str:
        return f"Make {self.table} append-only"
