#!/usr/bin/env python
"""Django's command line for Clera."""

import os
import sys

# Commands that change the schema act as the owner of the database; everything else takes the
# product's role, which row-level security binds.
OWNER_COMMANDS = {
    "migrate",
    "makemigrations",
    "sqlmigrate",
    "flush",
    "dbshell",
    "setup_checkpoints",
}


def main() -> None:
    """Run one administrative command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["DATABASE_ROLE"] = "owner"
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the settings

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
