-- Mirrors add and renew reports, and so may who gives commands; nothing lets a mirror touch the log.
grant insert, update on workbench.host to workbench_mirror, workbench_writer
