-- One row: on this connection a commit is not waited for until it is on disk. For reports of a host alone,
-- which are given again a moment later; no command is ever recorded over such a connection.
select set_config('synchronous_commit', 'off', false) as synchronous_commit
