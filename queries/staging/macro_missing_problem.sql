-- Says that a required value is not there, or null.
create macro missing_problem(column_name, written) as
case when written is null then column_name || ' is missing' end
