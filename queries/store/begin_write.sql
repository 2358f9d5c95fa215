-- Starts a writing transaction; the kernel lock has been taken before.
begin immediate
