-- What of an event may hold personal data stands apart from the rest (payload), and is bound to
-- it by a salted digest. So it can be removed, and the chain stays whole: then the digest is kept
-- in its place. Each event's hash covers the hash of the one before. Events from before the chain
-- have no hash; its beginning covers them by one digest.
ALTER TABLE events ADD COLUMN payload TEXT;
ALTER TABLE events ADD COLUMN salt BLOB;
ALTER TABLE events ADD COLUMN payload_digest BLOB;
ALTER TABLE events ADD COLUMN hash BLOB;

-- Where the chain begins: one row, written once.
CREATE TABLE chain (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    trail   TEXT NOT NULL,
    first   INTEGER NOT NULL,
    covers  INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    genesis BLOB NOT NULL,
    began   INTEGER NOT NULL
) STRICT;

-- What was signed of the chain, and by which key.
CREATE TABLE checkpoints (
    seq       INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    key       TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- Events that say what was removed, and allow it.
CREATE INDEX events_statements ON events (seq)
    WHERE kind IN ('payloads_erased', 'records_pruned');

DROP TRIGGER events_keep_their_words;
DROP TRIGGER events_stay;

CREATE TRIGGER events_keep_their_words BEFORE UPDATE ON events
WHEN NOT (
    OLD.payload IS NOT NULL AND NEW.payload IS NULL AND NEW.salt IS NULL
    AND length(NEW.payload_digest) = 32
    AND NEW.seq = OLD.seq AND NEW.call IS OLD.call AND NEW.at = OLD.at AND NEW.kind = OLD.kind
    AND NEW.identity IS OLD.identity AND NEW.tool IS OLD.tool AND NEW.api IS OLD.api
    AND NEW.operation IS OLD.operation AND NEW.decision IS OLD.decision
    AND NEW.outcome IS OLD.outcome AND NEW.body = OLD.body AND NEW.hash IS OLD.hash
    AND EXISTS (SELECT 1 FROM events AS said
        WHERE said.kind IN ('payloads_erased', 'records_pruned')
        AND said.kind = 'payloads_erased' AND said.seq > OLD.seq)
)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no event is changed');
END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM events AS said
    WHERE said.kind IN ('payloads_erased', 'records_pruned')
    AND said.kind = 'records_pruned' AND said.seq > OLD.seq
    AND json_extract(said.body, '$.upto') >= OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no event is deleted');
END;

DROP VIEW calls;

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
    coalesce(json_extract(opening.payload, '$.arguments'),
        json_extract(opening.body, '$.arguments')) AS arguments
FROM events AS opening
LEFT JOIN events AS ending ON ending.seq =
    (SELECT max(seq) FROM events WHERE call = opening.call AND outcome IS NOT NULL)
LEFT JOIN holds AS hold ON hold.id =
    (SELECT json_extract(body, '$.hold') FROM events
        WHERE call = opening.call AND kind = 'held' ORDER BY seq DESC LIMIT 1)
WHERE opening.kind IN ('received', 'malformed');

-- How far something is known of the trail: up to which event every call has its end.
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
