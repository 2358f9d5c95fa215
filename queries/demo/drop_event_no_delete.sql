-- Takes away the guard event_no_delete in a copy of the store, as somebody with the file could.
drop trigger event_no_delete
