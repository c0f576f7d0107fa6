"""Migration operations that let the database itself keep customers apart."""

from typing import Any

from core.db.operations import Statements

APP_ROLE = "clera_app"
AGENTS_ROLE = "clera_agents"
_ALL_VERBS = "SELECT, INSERT, UPDATE, DELETE"

# Sub-selects are evaluated once per statement, not once per row. An empty setting is nobody.
_MAY_SEE = (
    "(user_id = (SELECT nullif(current_setting('clera.user_id', true), ''))"
    " OR (SELECT current_setting('clera.system', true)) = 'on')"
)


def grant_sql(table: str, *, app: str, agents: str) -> list[str]:
    """
    List the statements after which the two roles may do with the table exactly what is named.

    They begin with nothing: tables are born with default privileges for the product's role.
    """
    roles = {APP_ROLE: app, AGENTS_ROLE: agents}
    grants = [f'GRANT {verbs} ON "{table}" TO {role}' for role, verbs in roles.items() if verbs]
    return [_revoke_sql(table), *grants]


def _revoke_sql(table: str) -> str:
    return f'REVOKE ALL ON "{table}" FROM {APP_ROLE}, {AGENTS_ROLE}'


def row_security_sql(table: str, *, agents: str = "SELECT") -> list[str]:
    """
    List the statements that show each principal only its own rows of `table`.

    The owner stays unbound, so that migrations work. The agents role gets what `agents` names
    and nothing else: what it may not INSERT, no prompt can make it insert.
    """
    statements = [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        _policy_sql(table, "app", APP_ROLE),
    ]
    if agents:
        statements.append(_policy_sql(table, "agents", AGENTS_ROLE))
    return statements + grant_sql(table, app=_ALL_VERBS, agents=agents)


def _policy_sql(table: str, suffix: str, role: str) -> str:
    return (
        f'CREATE POLICY "{table}_{suffix}" ON "{table}" TO {role}'
        f" USING {_MAY_SEE} WITH CHECK {_MAY_SEE}"
    )


def undo_row_security_sql(table: str) -> list[str]:
    """List the statements that take the policies and grants away again."""
    return [
        _revoke_sql(table),
        f'DROP POLICY IF EXISTS "{table}_agents" ON "{table}"',
        f'DROP POLICY IF EXISTS "{table}_app" ON "{table}"',
        f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
    ]


class EnableRowSecurity(Statements):
    """Bind a customer-owned table (one with a `user_id` column) to the acting principal."""

    def __init__(self, table: str, *, agents: str = "SELECT") -> None:
        super().__init__(table)
        self.agents = agents

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.table], {"agents": self.agents}

    def forwards(self) -> list[str]:
        return row_security_sql(self.table, agents=self.agents)

    def backwards(self) -> list[str]:
        return undo_row_security_sql(self.table)

    def describe(self) -> str:
        return f"Enable row security on {self.table}"


class LetAgentsRead(Statements):
    """Let the agents' role see a customer's rows of a table that was closed to it."""

    def forwards(self) -> list[str]:
        return [
            _policy_sql(self.table, "agents", AGENTS_ROLE),
            f'GRANT SELECT ON "{self.table}" TO {AGENTS_ROLE}',
        ]

    def backwards(self) -> list[str]:
        return [
            f'REVOKE SELECT ON "{self.table}" FROM {AGENTS_ROLE}',  # noqa: S608 - a name of ours
            f'DROP POLICY "{self.table}_agents" ON "{self.table}"',
        ]

    def describe(self) -> str:
        return f"Let agents read {self.table}"


class GrantTable(Statements):
    """Let the product's roles use a table that belongs to no customer."""

    def __init__(self, table: str, *, app: str = _ALL_VERBS, agents: str = "") -> None:
        super().__init__(table)
        self.app = app
        self.agents = agents

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.table], {"app": self.app, "agents": self.agents}

    def forwards(self) -> list[str]:
        return grant_sql(self.table, app=self.app, agents=self.agents)

    def backwards(self) -> list[str]:
        return [_revoke_sql(self.table)]

    def describe(self) -> str:
        return f"Grant use of {self.table}"
