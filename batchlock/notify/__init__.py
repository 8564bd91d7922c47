"""Notices about commands and runs: pings, messages, a webhook and figures in a file.

command, worker or page ─ Notice ─▶ Notifier ─▶ ping, messages, webhook, textfile

`Notifier` is the only entry. Whatever goes wrong in it ends in a warning of the log: it never
raises, and never changes the results or the exit code of what it tells about.
"""
