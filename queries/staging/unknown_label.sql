-- One row per good line with fields that have no column: those fields as labels.
create or replace temp table unknown_label as
select
    raw_line.line_number,
    map_from_entries(
        list_filter(
            map_entries(cast(cast(raw_line.line as json) as map(varchar, varchar))),
            lambda entry: list_contains(key_shape.unknown_keys, entry.key)
        )
    ) as unknown_labels
from raw_line
inner join key_shape on raw_line.keys = key_shape.keys
where
    len(key_shape.unknown_keys) > 0
    and not exists (select 1 from refused_line where refused_line.line_number = raw_line.line_number)
