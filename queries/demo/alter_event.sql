-- Changes the text of one recorded event in a copy of the store.
-- $seq: integer, which event
-- $before: text, what it says
-- $after: text, what it is made to say
update event set body = replace(body, $before, $after) where seq = $seq
