-- Locks the settings, so that no statement opens again what was closed.
set lock_configuration = true
