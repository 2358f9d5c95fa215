-- Makes instants read and print as UTC, wherever the machine stands.
set timezone = 'UTC'
