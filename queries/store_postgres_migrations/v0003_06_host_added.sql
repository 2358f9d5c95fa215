-- A report is added in one's own name only.
create policy host_added on workbench.host for insert with check (reported_by = session_user::text)
