"""Some values of each column of an upload, for the form that asks which column is which.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("uploads") as uploads:
        uploads.add_column(sa.Column("samples", sa.JSON(), nullable=True))
