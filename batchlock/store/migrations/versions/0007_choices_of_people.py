"""Choices about the columns of a file belong to a person.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the person to the key. The choices of before hold for all, as they did."""
    with op.batch_alter_table("choices") as choices:
        choices.add_column(
            sa.Column("person", sa.Text(), server_default=sa.text("''"), nullable=False)
        )
        choices.drop_constraint("pk_choices", type_="primary")
        choices.create_primary_key("pk_choices", ["titles", "person"])
