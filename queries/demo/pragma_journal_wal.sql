-- One row: the journal mode; six writers and a reader at once need the write-ahead log.
pragma journal_mode = wal
