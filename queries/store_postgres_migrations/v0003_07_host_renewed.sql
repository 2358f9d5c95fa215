-- A report is renewed by the account that gave it, and by no other.
create policy host_renewed on workbench.host for update
using (reported_by = session_user::text) with check (reported_by = session_user::text)
