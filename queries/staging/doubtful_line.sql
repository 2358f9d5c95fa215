-- One row per line that DuckDB cannot certify as strict JSON with distinct keys; a strict parser looks at it again.
-- DuckDB takes NaN, Infinity and a trailing comma for JSON, and of two equal keys it silently keeps one.
-- $braces: bigint, opening braces that a plain line has: 1, or 2 where it may carry labels
select
    raw_line.line_number,
    raw_line.line
from raw_line
left join key_shape on raw_line.keys = key_shape.keys
where
    raw_line.keys is null
    or len(raw_line.keys) = 0
    or key_shape.has_repeats
    or length(raw_line.line) - length(replace(raw_line.line, '{', '')) > $braces
    or contains(raw_line.line, '[')
    or regexp_matches(raw_line.line, ',\s*[}]')
    or (
        (contains(lower(raw_line.line), 'nan') or contains(lower(raw_line.line), 'inf'))
        and regexp_matches(raw_line.line, '(?i):\s*-?(nan|inf)')
    )
order by raw_line.line_number
