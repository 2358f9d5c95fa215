-- Records one fact about the store.
-- $key: text
-- $value: text
insert into workbench.meta (name, value) values ($key, $value)
