-- One row per good line: each field of the table as text, and numbers, truths and objects as JSON.
-- $structure: varchar, JSON object of column names and the type to read them as
create or replace temp table raw_field as
select
    line_number,
    unnest(from_json(line, $structure))
from raw_line
where not exists (select 1 from refused_line where refused_line.line_number = raw_line.line_number)
