-- Write-ahead log: readers never block the writer.
pragma journal_mode = wal
