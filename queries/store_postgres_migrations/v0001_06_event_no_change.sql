-- Refuses every update and delete of the log, also by the owner of the table.
create trigger event_no_change before update or delete on workbench.event
for each row execute function workbench.refuse_change()
