"""The audit log has addresses, and what each entry is about.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns, and fill them where the text of an entry is an address or a run."""
    for name in ("address", "run", "upload"):
        op.add_column("audit_log", sa.Column(name, sa.Text()))
    op.execute(
        "UPDATE audit_log SET address = substr(subject, 6), subject = '' "
        "WHERE action IN ('signed in', 'tried to sign in') AND subject LIKE 'from %'"
    )
    op.execute(
        "UPDATE audit_log SET run = substr(subject, 5), subject = '' WHERE subject LIKE 'run 20%'"
    )
