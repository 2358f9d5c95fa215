-- Refuses every update of the log.
create trigger event_no_update before update on event
begin
    select raise(abort, 'the audit log is append-only: events are never changed');
end
