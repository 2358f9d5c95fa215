-- A word of a closed set in lower case; a word outside it becomes `unknown`, never a member that looks near.
create macro one_of(written, words) as
case
    when written is null then null
    when list_contains(words, lower(trim(written))) then lower(trim(written))
    else 'unknown'
end
