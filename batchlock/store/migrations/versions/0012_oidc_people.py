"""People who sign in with OpenID Connect.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "oidc_people",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("signed_in_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_oidc_people"),
    )
    op.create_index("ix_oidc_people_name", "oidc_people", ["name"], unique=True)
