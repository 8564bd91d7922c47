"""Uploads: receiving files, checking each in the background, showing the check, starting a run."""
