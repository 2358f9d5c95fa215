-- One row per host and gate folder, the newest reports first and at most $most; times are the store's own.
-- $most: integer, how many rows at most
select
    h.name,
    h.number,
    h.folder_id,
    h.gate_folder,
    h.reported_by,
    to_char(h.beaten_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as beaten_at,
    extract(epoch from clock_timestamp() - h.beaten_at)::double precision as age_seconds,
    to_char(h.said_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as said_at,
    h.published_seq,
    h.report
from workbench.host as h
order by h.beaten_at desc, h.name, h.number
limit $most::bigint
