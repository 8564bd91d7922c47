"""Uploaded files: writing them to the disk, checking them, starting their runs."""
