-- A number's own text: JSON null becomes null, and a file of texts (CSV) may have it in quotes.
create macro number_text(written, is_text) as
case
    when written is null or cast(written as varchar) = 'null' then null
    when is_text then trim(cast(written as varchar), '"')
    else cast(written as varchar)
end
