"""Phase 1: read a spreadsheet into a journal, in a reader process with limits."""
