-- A commit is written and not synced; the next one that is syncs it as well.
pragma synchronous = normal
