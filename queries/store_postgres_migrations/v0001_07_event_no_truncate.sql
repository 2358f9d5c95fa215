-- Refuses to empty the log.
create trigger event_no_truncate before truncate on workbench.event
for each statement execute function workbench.refuse_change()
