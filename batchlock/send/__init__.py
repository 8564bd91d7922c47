"""Phase 2: every pending row of a journal is sent to Zoho, and its outcome recorded."""
