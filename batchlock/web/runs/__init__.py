"""The pages of runs: live view, results, actions, downloads, history and audit log."""
