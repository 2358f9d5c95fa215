-- What is wrong with the labels of a line, or null: they are an object of names and values.
create macro labels_problem(written) as
case
    when written is null or cast(written as varchar) = 'null' then null
    when json_type(written) <> 'OBJECT' then 'labels is not an object'
    when try(cast(written as map(varchar, varchar))) is null then 'labels has a name twice'
end
