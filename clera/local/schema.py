"""Whether the local database is as the code wants it; saves starting Django twice to find out."""

import hashlib
from pathlib import Path

from clera.local import home, postgres
from clera.local.errors import LocalError
from clera.local.postgres import Cluster

SHAPING = (
    "*/migrations/*.py",
    "*/management/commands/setup_*.py",
    "core/db/*.py",
    "agents/checkpoints.py",
    "requirements.txt",
)
"""The files that decide what the database looks like."""
APPLIED = "SELECT count(*), max(applied) FROM django_migrations"


def is_current(cluster: Cluster, url: str, checkout: Path) -> bool:
    """Tell whether neither those files nor the migrations applied have changed since `note`."""
    path = _note(cluster)
    return path.exists() and path.read_text() == _fingerprint(url, checkout)


def note(cluster: Cluster, url: str, checkout: Path) -> None:
    """Remember that the database is now as the code wants it."""
    home.write_private(_note(cluster), _fingerprint(url, checkout))


def _note(cluster: Cluster) -> Path:
    return cluster.folder / "schema"


def _fingerprint(url: str, checkout: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(path for pattern in SHAPING for path in checkout.glob(pattern)):
        content.update(f"{path.relative_to(checkout)}\0".encode())
        content.update(path.read_bytes())
    try:
        applied = postgres.ask(url, APPLIED)
    except LocalError:  # no migration has run
        applied = "none"
    return f"{content.hexdigest()} {applied}"
