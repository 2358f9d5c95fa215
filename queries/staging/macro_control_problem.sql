-- Says that one of a row's names has a control character, which no id has and which could forge a line, or null.
-- `written` is the names put together, so that one pattern looks at all of them.
create macro control_problem(written) as
case when regexp_matches(written, '[\x00-\x1f\x7f]') then 'an id or name has a control character' end
