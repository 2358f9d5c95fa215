-- Writers add events and cache rows; nothing lets them change, remove or replace an event.
grant insert on workbench.event, workbench.projection, workbench.outbox to workbench_writer
