-- One row where the report of a host was taken: its gate folder's own. None where another folder with the
-- same name and number reported within the last half minute; then one of them is a copy.
-- $name: text, name of the host
-- $number: text, random number of the gate folder
-- $folder_id: text, what tells the folder from its copies until the machine is started again
-- $gate_folder: text, where it is on that host
-- $reported_by: text, account that reports
-- $said_at: text, UTC, by the host's clock
-- $published_seq: integer, event that gates there were told last
-- $report: text, JSON
insert into host (
    name, number, folder_id, gate_folder, reported_by, beaten_at, said_at, published_seq, report
)
values (
    $name,
    $number,
    $folder_id,
    $gate_folder,
    $reported_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    $said_at,
    $published_seq,
    $report
)
on conflict (name, number) do update set
    folder_id = excluded.folder_id,
    gate_folder = excluded.gate_folder,
    reported_by = excluded.reported_by,
    beaten_at = excluded.beaten_at,
    said_at = excluded.said_at,
    published_seq = excluded.published_seq,
    report = excluded.report
where
    host.folder_id = excluded.folder_id
    or host.beaten_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 seconds')
returning folder_id
