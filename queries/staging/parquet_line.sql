-- One row per row of a Parquet file, as a JSON object, in the order of the file.
select to_json(parquet_row)
from parquet_row
