-- One row: the limits of this connection as they were set. A commit is acknowledged when it is durable,
-- whatever the server's own setting; text is read as UTC and UTF-8.
-- $lock_seconds: text, how long a writer waits for its turn, as 10s
-- $statement_seconds: text, how long a statement may take, as 60s
-- $application: text, who this is, for whoever waits for it
select
    set_config('lock_timeout', $lock_seconds::text, false),
    set_config('statement_timeout', $statement_seconds::text, false),
    set_config('idle_in_transaction_session_timeout', $statement_seconds::text, false),
    set_config('application_name', $application::text, false),
    set_config('TimeZone', 'UTC', false),
    set_config('client_encoding', 'UTF8', false),
    set_config(
        'synchronous_commit',
        case
            when current_setting('synchronous_commit') in ('off', 'local') then 'on'
            else current_setting('synchronous_commit')
        end,
        false
    )
