-- The labels that the line states, over the fields that have no column of their own.
create macro merged_labels(written, unknown_labels) as
case
    when written is null or cast(written as varchar) = 'null' then unknown_labels
    when json_type(written) <> 'OBJECT' then unknown_labels
    when unknown_labels is null then try(cast(written as map(varchar, varchar)))
    else map_concat(unknown_labels, try(cast(written as map(varchar, varchar))))
end
