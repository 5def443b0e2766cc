-- The audit trail. Times are microseconds since the Unix epoch, everywhere.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,
    call      TEXT,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    identity  TEXT,
    tool      TEXT,
    api       TEXT,
    operation TEXT,
    decision  TEXT,
    outcome   TEXT,
    body      TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_call ON events (call, seq) WHERE call IS NOT NULL;

-- A call opens with one of these, so this lists the calls.
CREATE INDEX events_opening ON events (seq) WHERE kind IN ('received', 'malformed');

CREATE TRIGGER events_keep_their_words BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no event is changed');
END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no event is deleted');
END;

-- Calls that count in sliding windows. Within a key, n grows by one a row and never while
-- at falls, so the rows alive are last n - first n + 1. No row matters after until.
CREATE TABLE window_uses (
    key   TEXT NOT NULL,
    at    INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (key, at, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    call       TEXT NOT NULL,
    identity   TEXT NOT NULL,
    tool       TEXT NOT NULL,
    digest     TEXT NOT NULL,
    arguments  TEXT NOT NULL,
    rule       TEXT NOT NULL,
    price      TEXT,
    placed     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'spent')),
    decided_by TEXT,
    decided    INTEGER,
    reason     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_of_repeat ON holds (identity, tool, digest, placed);

-- The kill switch. The name is empty where the scope is all.
CREATE TABLE stops (
    scope TEXT NOT NULL CHECK (scope IN ('all', 'api', 'tool', 'identity')),
    name  TEXT NOT NULL,
    by    TEXT NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id       TEXT PRIMARY KEY,
    hash     TEXT NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER,
    revoked  INTEGER
) STRICT, WITHOUT ROWID;

-- For people with sqlite3: one row a call. A hold that was rejected or ran out unused ends
-- its call as denied.
CREATE VIEW calls AS
SELECT
    opening.call AS id,
    strftime('%Y-%m-%dT%H:%M:%fZ', opening.at / 1000000.0, 'unixepoch') AS time,
    opening.identity,
    opening.tool,
    opening.api,
    opening.operation,
    (SELECT decision FROM events
        WHERE call = opening.call AND decision IS NOT NULL ORDER BY seq DESC LIMIT 1) AS decision,
    CASE
        WHEN ending.outcome = 'held' AND (hold.state = 'rejected'
            OR (hold.state IN ('pending', 'approved') AND hold.expires <= unixepoch() * 1000000))
        THEN 'denied'
        ELSE ending.outcome
    END AS outcome,
    (SELECT count(*) FROM events
        WHERE call = opening.call AND kind = 'attempt_started') AS attempts,
    (ending.at - opening.at) / 1000 AS duration_ms,
    json_extract(opening.body, '$.arguments') AS arguments
FROM events AS opening
LEFT JOIN events AS ending ON ending.seq =
    (SELECT max(seq) FROM events WHERE call = opening.call AND outcome IS NOT NULL)
LEFT JOIN holds AS hold ON hold.id =
    (SELECT json_extract(body, '$.hold') FROM events
        WHERE call = opening.call AND kind = 'held' ORDER BY seq DESC LIMIT 1)
WHERE opening.kind IN ('received', 'malformed');
