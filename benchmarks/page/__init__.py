"""Many people at one page."""
