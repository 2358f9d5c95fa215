-- One row per partition day that the batch may change: the days of its rows, and where their keys stand now.
select partition_day from incoming_key
union
select partition_day from stored_match
order by partition_day
