"""What batchlock keeps between two commands: journals, history, org locks, the page's data."""
