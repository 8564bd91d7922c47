"""The page for people who never open a terminal: upload, check, run, watch, download.

    browser ─▶ safety ─▶ door        who may come in: links, people and their sessions
                       ─▶ intake     uploads: onto the disk, and into a plan
                       ─▶ files      what a check found in them, and what is made of it
                       ─▶ runs       a run as it goes, its results, all runs, the log
    door, files, runs  ─▶ store      what the page remembers (SQLite)
                       ─▶ look       the templates, and how values look in them
    files, runs        ─▶ line ─▶ worker    one run at a time, each in a process of its own
                       ─▶ past       all runs there are
    runs               ─▶ watch      a run as it goes, looked at once for all who watch

A run is the same as on the command line: a journal that `resume` brings to its end. The page only
makes it from a plan, and reads it while a process of its own is at work on it. So neither a page
that is closed nor a server that ends takes a run with it.
"""
