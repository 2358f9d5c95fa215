-- Everything of the store lies in one schema of its own; one database holds one store.
create schema workbench
