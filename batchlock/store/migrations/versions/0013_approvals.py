"""Requests to start something, which another person approves.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_TEXTS = ("org", "subject", "title", "start", "digest", "requested_by", "comment", "state",
          "decided_by", "answer")  # fmt: skip


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "upload_editors",
        sa.Column("upload", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("upload", "person", name="pk_upload_editors"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("run", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_org_state", "approvals", ["org", "state"])
    op.create_index("ix_approvals_subject", "approvals", ["subject"])
    op.create_index("ix_approvals_run", "approvals", ["run"])
