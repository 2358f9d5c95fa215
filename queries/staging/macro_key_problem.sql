-- What is wrong with a text that names something (an id, a status), or null.
create macro key_problem(column_name, written) as
case
    when written is null or trim(written) = '' then column_name || ' is missing'
    when length(written) > 512 then column_name || ' is longer than 512 characters'
    when written[1] = '{' or written[1] = '[' then column_name || ' is not a plain value'
end
