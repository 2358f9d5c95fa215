-- Writers move the head and bring the caches along.
grant update on workbench.head, workbench.projection, workbench.outbox to workbench_writer
