-- Marks the schema as version 1.
pragma user_version = 1
