-- One row: what the server's clock says, whatever began before.
select clock_timestamp() as now
