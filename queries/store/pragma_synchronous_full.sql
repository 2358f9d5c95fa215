-- Every commit is synced: acknowledged means durable after power loss.
pragma synchronous = full
