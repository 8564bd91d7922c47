"""Phase 2: send every pending row of a journal to Zoho, and record its outcome."""
