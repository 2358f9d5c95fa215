-- Moves the head to the newest event.
-- $seq: integer
-- $hash: text
insert into head (only, seq, hash) values (1, $seq, $hash)
on conflict (only) do update set seq = excluded.seq, hash = excluded.hash
