-- One row where the report of a host was taken: its gate folder's own. None where another folder with the
-- same name and number reported within the last half minute; then one of them is a copy.
-- $name: text, name of the host
-- $number: text, random number of the gate folder
-- $folder_id: text, what tells the folder from its copies until the machine is started again
-- $gate_folder: text, where it is on that host
-- $reported_by: text, account that reports; the server puts in its own
-- $said_at: text, UTC, by the host's clock
-- $published_seq: integer, event that gates there were told last
-- $report: text, JSON
insert into workbench.host as h (
    name, number, folder_id, gate_folder, reported_by, beaten_at, said_at, published_seq, report
)
values (
    $name::text,
    $number::text,
    $folder_id::text,
    $gate_folder::text,
    $reported_by::text,
    clock_timestamp(),
    $said_at::timestamptz,
    $published_seq::bigint,
    $report::text
)
on conflict (name, number) do update set
    folder_id = excluded.folder_id,
    gate_folder = excluded.gate_folder,
    said_at = excluded.said_at,
    published_seq = excluded.published_seq,
    report = excluded.report
where
    h.folder_id = excluded.folder_id
    or h.beaten_at < clock_timestamp() - interval '30 seconds'
returning h.folder_id
