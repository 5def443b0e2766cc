-- A trail of millions of events answers at once what is asked of it: each question finds what is rare
-- without a walk through what is not.
CREATE INDEX events_by_time ON events (at) WHERE kind IN ('received', 'malformed');
CREATE INDEX events_of_tool ON events (tool, at) WHERE kind IN ('received', 'malformed');
CREATE INDEX events_of_identity ON events (identity, at) WHERE kind IN ('received', 'malformed');
CREATE INDEX events_of_identity_and_tool ON events (identity, tool, at)
    WHERE kind IN ('received', 'malformed');

-- Nearly all calls are allowed, and succeed: those are found by walking, and have no index.
CREATE INDEX events_not_allowed ON events (decision, seq)
    WHERE decision IS NOT NULL AND decision <> 'allow';
CREATE INDEX events_not_succeeded ON events (outcome, seq)
    WHERE outcome IS NOT NULL AND outcome <> 'succeeded';

-- Their times as numbers, for questions about a time: microseconds since the Unix epoch.
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
        json_extract(opening.body, '$.arguments')) AS arguments,
    CASE opening.kind WHEN 'received' THEN json_extract(opening.payload, '$.reason') END AS reason,
    substr(json_extract(opening.body, '$.traceparent'), 4, 32) AS trace,
    opening.at
FROM events AS opening
LEFT JOIN events AS ending ON ending.seq =
    (SELECT max(seq) FROM events WHERE call = opening.call AND outcome IS NOT NULL)
LEFT JOIN holds AS hold ON hold.id =
    (SELECT json_extract(body, '$.hold') FROM events
        WHERE call = opening.call AND kind = 'held' ORDER BY seq DESC LIMIT 1)
WHERE opening.kind IN ('received', 'malformed');

-- Calls that were denied or held, however they went on: which rules said so, and why.
CREATE VIEW refusals AS
SELECT
    decided.call,
    strftime('%Y-%m-%dT%H:%M:%fZ', decided.at / 1000000.0, 'unixepoch') AS time,
    opening.identity,
    opening.tool,
    opening.api,
    decided.decision,
    json_extract(decided.body, '$.rules') AS rules,
    coalesce(json_extract(decided.payload, '$.reason'), json_extract(decided.body, '$.reason')) AS reason
FROM events AS decided
CROSS JOIN events AS opening ON opening.call = decided.call AND opening.kind = 'received'
WHERE decided.decision IS NOT NULL AND decided.decision <> 'allow';

-- Calls that ended otherwise than well, by their ends. A held call is among them until it goes on, as another.
CREATE VIEW failures AS
SELECT
    ending.call,
    strftime('%Y-%m-%dT%H:%M:%fZ', ending.at / 1000000.0, 'unixepoch') AS time,
    opening.identity,
    opening.tool,
    opening.api,
    ending.outcome,
    coalesce(json_extract(ending.payload, '$.message'), json_extract(ending.body, '$.message')) AS message
FROM events AS ending
CROSS JOIN events AS opening
    ON opening.call = ending.call AND opening.kind IN ('received', 'malformed')
WHERE ending.outcome IS NOT NULL AND ending.outcome <> 'succeeded';

-- Each request to an API, at the time of its call. What was written twice is counted once.
CREATE VIEW attempts AS
SELECT
    opening.call,
    strftime('%Y-%m-%dT%H:%M:%fZ', opening.at / 1000000.0, 'unixepoch') AS time,
    opening.identity,
    opening.tool,
    opening.api,
    json_extract(started.body, '$.n') AS n,
    json_extract(started.body, '$.method') AS method,
    coalesce(json_extract(started.payload, '$.url'), json_extract(started.body, '$.url')) AS url,
    coalesce(json_extract(started.payload, '$.why'), json_extract(started.body, '$.why')) AS why,
    json_extract(finished.body, '$.status') AS status,
    coalesce(json_extract(finished.payload, '$.error'), json_extract(finished.body, '$.error')) AS error,
    json_extract(started.body, '$.wait_ms') AS wait_ms,
    json_extract(finished.body, '$.duration_ms') AS duration_ms,
    json_extract(finished.body, '$.bytes') AS bytes,
    opening.at
FROM events AS opening
CROSS JOIN events AS started ON started.seq IN
    (SELECT min(seq) FROM events WHERE call = opening.call AND kind = 'attempt_started'
        GROUP BY json_extract(body, '$.n'))
LEFT JOIN events AS finished ON finished.seq =
    (SELECT max(seq) FROM events WHERE call = opening.call AND kind = 'attempt_finished'
        AND json_extract(body, '$.n') = json_extract(started.body, '$.n'))
WHERE opening.kind IN ('received', 'malformed');

-- What a person was asked, and said.
CREATE VIEW approvals AS
SELECT
    id,
    call,
    strftime('%Y-%m-%dT%H:%M:%fZ', placed / 1000000.0, 'unixepoch') AS time,
    identity,
    tool,
    CASE
        WHEN state IN ('pending', 'approved') AND expires <= unixepoch() * 1000000 THEN 'expired'
        ELSE state
    END AS state,
    rule,
    stated,
    price,
    decided_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', decided / 1000000.0, 'unixepoch') AS decided,
    reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires / 1000000.0, 'unixepoch') AS expires
FROM holds;
