"""What SQLite's errors mean."""

# With less than 32 KiB left, SQLite cannot make the file of its shared memory, and calls that an
# I/O error. It has no other reason for this one than the room.
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")


def is_disk_full(error: object) -> bool:
    """Return whether an error of SQLite says that the disk is full."""
    return getattr(error, "sqlite_errorname", "") in _FULL
