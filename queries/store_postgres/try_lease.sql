-- Take a lease that lasts as long as this connection, or say that another has it.
-- $lease: text, what the lease is for
select pg_try_advisory_lock(hashtextextended('workbench ' || $lease, 0))
