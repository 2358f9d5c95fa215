-- What is wrong with a whole number's text, or null; JSON text such as `"7"` is not a number.
create macro whole_number_problem(column_name, written, least) as
case
    when written is null then null
    when written[1] = '"' then column_name || ' is text, not a number'
    when not regexp_full_match(written, '-?\d{1,18}([.]0+)?') then column_name || ' is not a whole number'
    when cast(try_cast(written as double) as double) < least then column_name || ' is below ' || least
end
