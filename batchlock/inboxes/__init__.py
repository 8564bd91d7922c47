"""Folders whose files become runs: which files are complete, the guards, and where files go.

<folder>/orders.xlsx ─ complete? ─ guards ─▶ run ─▶ done/ or attention/

`batchlock inbox` (`Inbox`) takes the files of one folder. Workers take files of schedules
(`batchlock.fleet.schedules`) with the same listing, guards and moves.
"""
