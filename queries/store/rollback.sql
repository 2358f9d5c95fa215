-- Drops the transaction.
rollback
