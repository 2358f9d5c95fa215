-- Refuses every event once the store was moved to another place: two places must not go on from one log.
create trigger event_not_moved before insert on event
when exists (select 1 from meta as m where m.name = 'moved_to')
begin
    select raise(abort, 'this store was moved to another place; nothing is recorded here any more');
end
