-- What is wrong with a truth value, or null.
create macro truth_problem(column_name, written) as
case
    when written is null or written in ('true', 'false') then null
    else column_name || ' is neither true nor false'
end
