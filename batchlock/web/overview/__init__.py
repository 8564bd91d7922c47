"""The page of all orgs: how each stands, the workers and the schedules."""
