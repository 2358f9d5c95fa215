-- Takes away the guard event_in_order in a copy of the store, as somebody with the file could.
drop trigger event_in_order
