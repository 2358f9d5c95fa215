-- Marks the schema as version 2.
pragma user_version = 2
