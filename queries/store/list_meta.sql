-- One row per fact about the store.
select name, value
from meta
order by name
