-- Refuses every delete from the log.
create trigger event_no_delete before delete on event
begin
    select raise(abort, 'the audit log is append-only: events are never deleted');
end
