-- One row per list of keys that occurs in the block: which are not known, and whether one stands twice.
-- Grouping by one text instead of a list is several times faster, and as JSON the text cannot mean two lists.
-- $known_keys: varchar[], names that the table or the mapping knows
create or replace temp table key_shape as
select
    keys,
    len(list_distinct(keys)) <> len(keys) as has_repeats,
    list_filter(keys, lambda name: not list_contains($known_keys, name)) as unknown_keys
from (
    select any_value(keys) as keys
    from raw_line
    where keys is not null
    group by to_json(keys)
) as shape
