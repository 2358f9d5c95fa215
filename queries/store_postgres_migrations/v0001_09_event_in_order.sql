-- Lets an event in only behind the last one.
create trigger event_in_order before insert on workbench.event
for each row execute function workbench.refuse_disorder()
