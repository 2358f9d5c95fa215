-- Names the only files that the connection may still read.
-- $paths: varchar[], the data files of the snapshot
set allowed_paths = $paths
