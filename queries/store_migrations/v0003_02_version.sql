-- Marks the schema as version 3.
pragma user_version = 3
