-- Lets no event into a store that was moved.
create trigger event_not_moved before insert on workbench.event
for each row execute function workbench.refuse_moved()
