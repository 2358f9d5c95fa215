-- Whoever may read the table reads every row.
create policy host_read on workbench.host for select using (true)
