-- An instant's text, with the offset that the mapping states where the text has none.
create macro with_offset(written, naive_offset) as
case
    when naive_offset is null or written is null then written
    when regexp_matches(written, '[:\d](Z|[+-]\d\d(:?\d\d)?)$') then written
    else written || naive_offset
end
