-- One row: the rows of a Parquet file by its own footer.
-- $file: varchar, path
select cast(sum(num_rows) as bigint) as row_count
from parquet_file_metadata($file)
