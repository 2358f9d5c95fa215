-- A normalised run status; a word that is not one becomes `unknown`, never success. raw_status keeps the word.
create macro run_status(written) as
one_of(
    written,
    [
        'scheduled', 'queued', 'starting', 'running', 'waiting', 'held', 'retrying',
        'succeeded', 'failed', 'crashed', 'cancelled', 'skipped', 'unknown'
    ]
)
