"""Phase 1: a spreadsheet becomes a journal, in a child process with limits."""
