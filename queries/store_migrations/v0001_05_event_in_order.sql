-- Refuses an event that is not the next one. INSERT OR REPLACE slips past the update and delete
-- triggers, because a replaced row fires neither; this one stops it.
create trigger event_in_order before insert on event
when
    new.seq <> (select coalesce(max(e.seq), 0) + 1 from event as e)
    or json_extract(new.body, '$.seq') <> new.seq
    or new.prev_hash <> coalesce(
        (select e.hash from event as e order by e.seq desc limit 1), new.prev_hash
    )
begin
    select raise(abort, 'the audit log is append-only: an event must follow the last one');
end
