-- What is wrong with an amount of money, or null: more than six places after the point would be rounded away.
create macro amount_problem(column_name, written) as
case
    when written is null then null
    when written[1] = '"' then column_name || ' is text, not a number'
    when
        not regexp_full_match(written, '-?\d+([.]\d+)?([eE][+-]?\d+)?')
        or try_cast(written as decimal(38, 12)) is null
        or try_cast(written as decimal(18, 6)) is null
        then column_name || ' is not an amount below 10^12'
    when try_cast(written as decimal(38, 12)) <> try_cast(written as decimal(18, 6))
        then column_name || ' has more than six digits after the point'
    when try_cast(written as decimal(18, 6)) < 0 then column_name || ' is negative'
end
