"""Cells that people correct on the page, and whose results a file has.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table, and the columns of the runs."""
    op.create_table(
        "corrections",
        sa.Column("upload", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("upload", "row", "field", name="pk_corrections"),
    )
    with op.batch_alter_table("runs") as runs:
        for name in ("corrections", "results_of"):
            runs.add_column(sa.Column(name, sa.Text(), nullable=True))
