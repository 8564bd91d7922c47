"""The action of a run, and the run that an undo puts back.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns; every earlier run updates reasons."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("action", sa.Text(), server_default="update", nullable=False))
        runs.add_column(sa.Column("undo_of", sa.Text(), nullable=True))
