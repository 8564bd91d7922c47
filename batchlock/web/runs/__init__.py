"""The pages of runs: live view, results, history and log."""
