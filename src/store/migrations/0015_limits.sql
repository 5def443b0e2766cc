-- What is known of APIs' limits and was announced by nobody's configuration, for whoever reads with SQL.
CREATE VIEW limits AS
SELECT
    api,
    nullif(identity, '') AS identity,
    origin,
    -- In requests a second; NULL where only announcements taught.
    json_extract(learned, '$.rate.rate') AS rate,
    json_extract(learned, '$.quotas') AS announced,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS time,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires / 1000000.0, 'unixepoch') AS until
FROM learned_limits;
