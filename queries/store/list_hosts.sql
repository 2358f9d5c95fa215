-- One row per host and gate folder, the newest reports first and at most $most; times are the store's own.
-- $most: integer, how many rows at most
select
    h.name,
    h.number,
    h.folder_id,
    h.gate_folder,
    h.reported_by,
    h.beaten_at,
    (julianday('now') - julianday(h.beaten_at)) * 86400.0 as age_seconds,
    h.said_at,
    h.published_seq,
    h.report
from host as h
order by h.beaten_at desc, h.name, h.number
limit $most
