-- One row per fact about the store.
select m.name, m.value
from workbench.meta as m
order by m.name
