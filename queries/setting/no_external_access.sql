-- Closes every other file and address to the connection.
set enable_external_access = false
