"""Phase 3: the lines of a journal become a results workbook, CSV, JSON or text."""
