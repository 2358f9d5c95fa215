-- The one row that writers lock, before there is any event.
insert into workbench.head (slot, seq, hash) values (1, 0, '')
