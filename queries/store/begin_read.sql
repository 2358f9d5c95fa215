-- Starts a reading transaction: everything after it sees one state.
begin
