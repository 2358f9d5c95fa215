-- Keeps DuckDB's own progress bar out of what our commands print.
set enable_progress_bar = false
