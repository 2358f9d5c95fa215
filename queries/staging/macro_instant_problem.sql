-- What is wrong with an instant's text, or null: it must be ISO 8601 with an offset, of the years 1970 to 2099,
-- and lose nothing at a microsecond. DuckDB alone would take a naive time as UTC and round nine digits to six.
-- The first branch is a short cut for the usual form, 2026-11-23T21:00:00.123456Z, which needs no pattern.
create macro instant_problem(column_name, written) as
case
    when written is null then null
    when
        length(written) in (20, 24, 27)
        and ends_with(written, 'Z')
        and written[11] = 'T'
        and written[12:13] < '24'
        and try_cast(written as timestamptz) between timestamptz '1970-01-01 00:00:00+00'
        and timestamptz '2099-12-31 23:59:59.999999+00'
        then null
    when
        regexp_full_match(
            written,
            '(19[7-9]\d|20\d\d)-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.]\d{1,6}0*)?)?'
            || '(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)'
        )
        and try_cast(written as timestamptz) is not null
        then null
    when regexp_full_match(written, '\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.]\d+)?)?')
        then column_name || ' has no offset (Z or +02:00)'
    when regexp_full_match(written, '-?\d+([.]\d+)?([eE][+-]?\d+)?')
        then column_name || ' is a number, not an instant in ISO 8601'
    when regexp_matches(written, '[.]\d{6}\d*[1-9]') then column_name || ' is finer than a microsecond'
    else column_name || ' is not an instant in ISO 8601 of the years 1970 to 2099'
end
