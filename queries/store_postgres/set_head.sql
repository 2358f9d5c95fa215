-- Moves the head to the newest event.
-- $seq: integer
-- $hash: text
update workbench.head set seq = $seq, hash = $hash where slot = 1
