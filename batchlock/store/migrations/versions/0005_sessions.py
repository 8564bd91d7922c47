"""When a session began, and from where; no names in the audit log that nobody has.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and remove what was typed as a name at a refused sign-in."""
    # Of the sessions that there are, only the last request is known.
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("started_at", sa.Float(), nullable=True))
        for name in ("address", "browser"):
            sessions.add_column(sa.Column(name, sa.Text(), nullable=True))
    op.execute("UPDATE sessions SET started_at = last_seen")
    with op.batch_alter_table("sessions") as sessions:
        sessions.alter_column("started_at", existing_type=sa.Float(), nullable=False)
    # It may be a password that was typed into the wrong field.
    op.execute(
        "UPDATE audit_log SET person = 'an unknown name' WHERE action = 'tried to sign in'"
        " AND person NOT IN (SELECT name FROM people)"
    )
