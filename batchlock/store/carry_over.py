"""Carry the state of 0.1.0 over (in progress)."""

from pathlib import Path

import sqlalchemy as sa


def carry_over(engine: sa.Engine, state: Path) -> None:
    """Nothing yet."""
