-- One row per line that DuckDB cannot certify as strict JSON with distinct keys; a strict parser looks at it again.
-- DuckDB takes NaN, Infinity and a trailing comma for JSON, and of two equal keys it silently keeps one.
-- A plain line has one opening brace, or a second one for its labels, whose names are checked later.
select
    raw_line.line_number,
    raw_line.line,
    raw_line.keys is not null as is_certified_json
from raw_line
where
    raw_line.keys is null
    or len(raw_line.keys) = 0
    or raw_line.keys in (select keys from key_shape where has_repeats)
    or case length(raw_line.line) - length(replace(raw_line.line, '{', ''))
        when 1 then false
        when 2 then try(json_type(raw_line.line, '$.labels')) is distinct from 'OBJECT'
        else true
    end
    or contains(raw_line.line, '[')
    or regexp_matches(raw_line.line, ',\s*[}]')
    or (
        (contains(lower(raw_line.line), 'nan') or contains(lower(raw_line.line), 'inf'))
        and regexp_matches(raw_line.line, '(?i):\s*-?(nan|inf)')
    )
order by raw_line.line_number
