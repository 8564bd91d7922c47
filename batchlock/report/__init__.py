"""Phase 3: the result rows of a journal become a results workbook, CSV, JSON or text."""
