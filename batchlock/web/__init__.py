"""The web page for people who never open a terminal: upload, check, run, watch, download.

    browser ─▶ error_pages ─▶ security      what every request must pass
                           ─▶ auth          links, passwords, sessions
                           ─▶ oidc          sign-in at the provider of a company
                           ─▶ overview      how all orgs stand
                           ─▶ routes ─▶ site ─▶ org_pages    who may see the org; its handlers
    org_pages ─▶ uploads   receive a file, check it, start its run
              ─▶ runs      live view, results, actions, downloads, history, log
              ─▶ locks     find locked records, and change or unlock them
    all of these ─▶ templating    the templates, one frozen dataclass for each page
                 ─▶ store         runs, people, grants, uploads, choices, audit log
    uploads, runs, locks ─▶ queue    one run of an org at a time
        dispatcher ─▶ process_queue ─▶ worker    store in the state folder: a process for each run
        worker_queue                             store in a database: a worker is woken
    server ─▶ app          listens; puts all of the above together
    app    ─▶ retention    removes what is older than web.keep

A run is the same as on the command line: a journal that `resume` finishes. The page only
creates it from a plan, and reads it while another process sends it. So a run continues when the
browser or the server ends.
"""
