"""The web page for people who never open a terminal: upload, check, run, watch, download.

    browser ─▶ error_pages ─▶ security    what every request must pass
                           ─▶ auth        links, passwords, sessions
                           ─▶ uploads     receive a file, check it, start its run
                           ─▶ runs        live view, results, actions, downloads, history, log
    auth, uploads, runs    ─▶ templating  the templates, one frozen dataclass for each page
                           ─▶ store       runs, people, uploads, choices, audit log
    uploads, runs          ─▶ queue ─▶ worker   one run at a time, each in a process of its own
    server                 ─▶ app         listens; puts all of the above together
    app                    ─▶ retention   removes what is older than web.keep

A run is the same as on the command line: a journal that `resume` finishes. The page only
creates it from a plan, and reads it while another process sends it. So a run continues when the
browser or the server ends.
"""
