-- Takes away the guard event_no_update in a copy of the store, as somebody with the file could.
drop trigger event_no_update
