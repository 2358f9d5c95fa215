-- One row per field name of the block that has no column, with the number of lines that carry it.
select
    name,
    count(*) as line_count
from (
    select unnest(key_shape.unknown_keys) as name
    from raw_line
    inner join key_shape on raw_line.keys = key_shape.keys
    where
        len(key_shape.unknown_keys) > 0
        and not exists (select 1 from refused_line where refused_line.line_number = raw_line.line_number)
) as found
group by name
order by name
