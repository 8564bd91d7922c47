"""The Alembic migrations of the store, and the revision that this version of batchlock needs."""

HEAD = "0001"
"""The newest revision. A test compares it with the scripts in `versions/`."""
