"""What the model is told before the customer speaks: one Markdown file for each role."""

from functools import lru_cache
from pathlib import Path


@lru_cache
def read(name: str) -> str:
    """Read the prompt `name`.md."""
    return (Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8").strip()
