-- Records one fact about the store.
-- $key: text
-- $value: text
insert into meta (name, value) values ($key, $value)
