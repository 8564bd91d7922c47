"""When a run starts by itself, and what people call it.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("start_at", sa.DateTime(timezone=True), nullable=True))
        runs.add_column(
            sa.Column("note", sa.Text(), server_default=sa.text("'\"\"'"), nullable=False)
        )
        runs.create_index("ix_runs_start_at", ["start_at"])
