-- Starts a writing transaction; each statement in it sees what was committed before that statement.
begin isolation level read committed read write
