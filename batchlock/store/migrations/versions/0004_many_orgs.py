"""Many orgs: their sign-ins, leases, workers, schedules and grants; on a server also the journals.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from batchlock.store.journal.tables import create_statements

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns and tables."""
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("schedule", sa.Text(), nullable=True))
        runs.add_column(sa.Column("due", _TIME, nullable=True))
        runs.add_column(sa.Column("filed", _TIME, nullable=True))
        runs.add_column(sa.Column("options", sa.JSON(), nullable=True))
    columns = ["schedule", "due", "sha256"]
    op.create_index("ix_runs_schedule_due_sha256", "runs", columns, unique=True)
    op.create_index("ix_runs_org_id", "runs", ["org", "id"])
    with op.batch_alter_table("orgs") as orgs:
        for name in ("added_at", "lease_until", "credits_at"):
            orgs.add_column(sa.Column(name, _TIME, nullable=True))
        for name in ("data_center", "environment", "api_url", "accounts_url", "leaseholder"):
            orgs.add_column(sa.Column(name, sa.Text(), nullable=True))
        for name in ("settings", "pace", "composite"):
            orgs.add_column(sa.Column(name, sa.JSON(), nullable=True))
        orgs.add_column(sa.Column("credits_left", sa.Integer(), nullable=True))
        orgs.add_column(_flag("disabled"))
        orgs.add_column(sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "secrets",
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org", "field", name="pk_secrets"),
    )
    op.create_table(
        "tokens",
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("use_until", _TIME, nullable=True),
        sa.Column("refreshing_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("org", name="pk_tokens"),
    )
    op.create_table(
        "workers",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("heartbeat_at", _TIME, nullable=False),
        sa.Column("runs", sa.Integer(), server_default="0", nullable=False),
        _flag("stopping"),
        sa.PrimaryKeyConstraint("worker", name="pk_workers"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("misfire", sa.Text(), server_default="once", nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.Column("last_due", _TIME, nullable=True),
        sa.Column("last_result", sa.Text(), server_default='""', nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claim", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claimed_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
    )
    op.create_index("ix_schedules_org", "schedules", ["org"])
    op.create_index("ix_schedules_next_at", "schedules", ["next_at"])
    op.create_table(
        "grants",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "org", name="pk_grants"),
    )
    if op.get_bind().dialect.name == "postgresql":  # in a state folder each run has a file
        for statement in create_statements():
            op.execute(statement)
        # On one machine a killed run is recorded as running until the next one begins.
        is_running = sa.text("state = 'running'")
        op.create_index(
            "ix_runs_running", "runs", ["org"], unique=True, postgresql_where=is_running
        )
        op.create_table(
            "upload_files",
            sa.Column("upload", sa.Text(), nullable=False),
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("part", sa.Integer(), nullable=False),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("upload", "name", "part", name="pk_upload_files"),
        )


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)
