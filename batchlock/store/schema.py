"""The tables of the store, for SQLite and PostgreSQL alike.

The rows of a run are not here: each run has a journal of its own beside the store, because
recording outcomes there is the hot path, and a finished plan becomes a run by a rename.
`migrations/` makes these tables; a test compares the two.
"""

import sqlalchemy as sa

from batchlock.store.column_types import AnyText, UtcTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # What it is: RunInfo.
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("api_url", sa.Text, nullable=False),
    sa.Column("file", AnyText, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("output", AnyText),
    sa.Column("sheet", AnyText),
    sa.Column("encoding", sa.Text),
    sa.Column("delimiter", sa.Text),
    sa.Column("titles", sa.JSON, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    _flag("strict"),
    sa.Column("action", sa.Text, nullable=False, server_default="update"),
    sa.Column("retry_of", sa.Text),
    sa.Column("undo_of", sa.Text),
    _flag("excludes_refused"),
    sa.Column("corrections", sa.Text),
    sa.Column("results_of", sa.Text),
    sa.Column("parent", sa.Text, nullable=False),
    # How it stands.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("stop_code", sa.Text),
    sa.Column("stop_sentence", AnyText),
    sa.Column("exit_code", sa.Integer),
    sa.Column("finished_at", UtcTime),
    sa.Column("results", AnyText),
    sa.Column("counts", sa.JSON, nullable=False),
    _count("remaining"),
    _count("settled"),
    _count("requests"),
    _count("credits_used"),
    _count("in_flight_peak"),
    sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    # Its process.
    sa.Column("message", AnyText, nullable=False, server_default='""'),
    sa.Column("snapshot", sa.JSON),
    sa.Column("heartbeat_at", UtcTime),
    sa.Column("process", sa.Integer),
    sa.Column("stop_request", sa.Text),
    sa.Column("stop_request_sentence", AnyText),
    # The page's queue.
    sa.Column("requested_by", AnyText, nullable=False, server_default='""'),
    sa.Column("file_name", AnyText, nullable=False),
    sa.Column("upload", sa.Text),
    sa.Column("queued_at", UtcTime),
    _count("starts"),
    # The schedule that has made it, and the time at which it was due. A due time takes a content
    # once. `filed`: the `finished_at` of the session after which its file was moved.
    sa.Column("schedule", sa.Text),
    sa.Column("due", UtcTime),
    sa.Column("filed", UtcTime),
    # Settings that its person chose, for the worker that sends it.
    sa.Column("options", sa.JSON(none_as_null=True)),
    # When a run that is paused is put into the queue by itself.
    sa.Column("start_at", UtcTime, index=True),
    sa.Column("note", AnyText, nullable=False, server_default='""'),
    sa.Index(None, "schedule", "due", "sha256", unique=True),
    sa.Index(None, "org", "state"),
    sa.Index(None, "org", "id"),  # the newest run of an org among years of runs
    sa.Index(None, "org", "identity"),
    sa.Index(None, "org", "sha256"),
    sa.Index(None, "parent"),
    sa.Index(None, "upload"),
)

orgs = sa.Table(
    "orgs",
    metadata,
    sa.Column("org", sa.Text, primary_key=True),
    # What holds the lock of the org, in words, and its process; null when nothing does.
    sa.Column("holder", AnyText),
    sa.Column("process", sa.Integer),
    # What Zoho has said about it (OrgFacts), and a hash of the sign-in that asked; null before.
    sa.Column("facts", sa.JSON(none_as_null=True)),
    sa.Column("sign_in", sa.Text),
    # What a person has said about it (StoredOrg); `added_at` is null of an org that only has runs.
    sa.Column("added_at", UtcTime),
    sa.Column("data_center", sa.Text),
    sa.Column("environment", sa.Text),
    sa.Column("api_url", sa.Text),
    sa.Column("accounts_url", sa.Text),
    sa.Column("settings", sa.JSON(none_as_null=True)),  # other settings, by section
    _flag("disabled"),
    # The lease: who may send to it, since which takeover, and until when. Only with a server; on
    # one machine the lock of the org takes its place.
    sa.Column("leaseholder", sa.Text),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_until", UtcTime),
    # What the last run has learned: Pace, the composite support, and the credits that were left.
    sa.Column("pace", sa.JSON(none_as_null=True)),
    sa.Column("composite", sa.JSON(none_as_null=True)),
    sa.Column("credits_left", sa.Integer),
    sa.Column("credits_at", UtcTime),
)

# Sealed with the key `key_id`: AES-256-GCM, bound to org and field.
secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("org", sa.Text, primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

# A sign-in that a person has begun on the page, and not confirmed yet: one for each org.
pending_sign_ins = sa.Table(
    "pending_sign_ins",
    metadata,
    sa.Column("org", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("ends_at", UtcTime, nullable=False),
    # When Zoho may be asked again.
    sa.Column("poll_at", UtcTime, nullable=False),
)

# The access token of each org that its workers share.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("org", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("use_until", UtcTime),
    # One process at a time asks for a new one.
    sa.Column("refreshing_until", UtcTime),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("process", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("heartbeat_at", UtcTime, nullable=False),
    _count("runs"),
    _flag("stopping"),
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("cron", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    # `once`: a missed time is caught up once; `skip`: not at all.
    sa.Column("misfire", sa.Text, nullable=False, server_default="once"),
    sa.Column("next_at", UtcTime),
    sa.Column("paused_by", AnyText),  # null: it is not paused
    sa.Column("added_by", AnyText, nullable=False),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.Column("last_due", UtcTime),
    sa.Column("last_result", AnyText, nullable=False, server_default='""'),
    # The worker that fires the time `next_at`, the number of its claim, and until when.
    sa.Column("claimed_by", sa.Text),
    sa.Column("claim", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("claimed_until", UtcTime),
    sa.Index(None, "org"),
    sa.Index(None, "next_at"),
)

# What a person may do with an org; the org `*` stands for every org.
grants = sa.Table(
    "grants",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("org", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
)

# People who sign in with OpenID Connect. Issuer and subject say who it is; the name is the one in
# sessions, logs and uploads, and no other person has it, with a password or without.
oidc_people = sa.Table(
    "oidc_people",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),  # by org, as of the last sign-in
    sa.Column("signed_in_at", sa.Float, nullable=False),  # seconds since 1970
    sa.Index(None, "name", unique=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),  # seconds since 1970
    sa.Column("last_seen", sa.Float, nullable=False),  # the same
    # What helps a person to recognise the session; unknown where an older version started it.
    sa.Column("address", sa.Text),
    sa.Column("browser", sa.Text),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("uploaded_at", sa.Float, nullable=False),  # seconds since 1970
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("refusal", AnyText, nullable=False, server_default='""'),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("samples", sa.JSON),
    sa.Column("sheets", sa.JSON, nullable=False),
    sa.Column("readings", sa.JSON, nullable=False),
    sa.Column("choices", sa.JSON, nullable=False),
    _flag("remembered"),
)

# What stands in place of cells of an upload, because people have corrected them on the page.
corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("sheet", AnyText),
    sa.Column("title", AnyText, nullable=False),
    sa.Column("old", AnyText, nullable=False),  # the text of the cell in the file
    sa.Column("new", AnyText, nullable=False),
    sa.Column("person", AnyText, nullable=False),
    sa.Column("at", sa.Float, nullable=False),  # seconds since 1970
)

# Who has changed what is sent of an upload, beside the person who uploaded it.
upload_editors = sa.Table(
    "upload_editors",
    metadata,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
)

# Requests to start something, which another person approves or sends back.
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("title", AnyText, nullable=False),
    sa.Column("start", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("excluded", sa.JSON, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", UtcTime, nullable=False),
    sa.Column("comment", AnyText, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", UtcTime),
    sa.Column("answer", AnyText, nullable=False),
    sa.Column("run", sa.Text),
    sa.Index(None, "org", "state"),
    sa.Index(None, "subject"),
    sa.Index(None, "run"),
)

# What a person chose for a file, for the next file with the same titles.
choices = sa.Table(
    "choices",
    metadata,
    sa.Column("titles", sa.Text, primary_key=True),
    # Who chose it; empty for a choice that holds for all.
    sa.Column("person", sa.Text, primary_key=True, server_default=sa.text("''")),
    # Without none_as_null, a missing choice would be the JSON value null, and not NULL.
    sa.Column("columns", sa.JSON(none_as_null=True)),
    sa.Column("encoding", sa.Text),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),  # seconds since 1970
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    # Not foreign keys: an entry stays when its run or upload is removed.
    sa.Column("run", sa.Text),
    sa.Column("upload", sa.Text),
    sa.Index(None, "org", "at"),
)

# Facts about the store itself, such as that the state of 0.1.0 was carried over, or which version
# of the job queue's tables there is.
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
