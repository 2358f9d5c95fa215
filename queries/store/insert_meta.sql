-- Records one fact about the store.
-- $name: text
-- $value: text
insert into meta (name, value) values ($name, $value)
