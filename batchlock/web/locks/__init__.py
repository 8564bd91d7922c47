"""Pages that find locked records, and that change or unlock the ones that were found."""
