-- Stamps every report of a host.
create trigger host_stamped before insert or update on workbench.host
for each row execute function workbench.stamp_host()
