-- One row "ok", or one row per fault that SQLite finds in the file.
pragma integrity_check
