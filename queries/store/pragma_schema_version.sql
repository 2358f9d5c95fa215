-- One row: version of the store's schema.
pragma user_version
