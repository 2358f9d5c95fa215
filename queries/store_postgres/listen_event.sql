-- From here on this connection hears of each event that is committed.
listen workbench_event
