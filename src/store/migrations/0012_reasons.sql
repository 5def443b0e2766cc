-- Why a call is made, as its agent said it: shown to whoever decides on a held call.
ALTER TABLE holds ADD COLUMN stated TEXT;

-- The trace that an agent brought with a call (W3C Trace Context): that of any other has the call's
-- own id. Bodies are looked at as texts, so that none can be refused here: within a JSON text a
-- quotation mark has a backslash before it, so this is the member and nothing else.
CREATE INDEX events_of_trace
    ON events (substr(body, instr(body, '"traceparent":"') + 18, 32), seq)
    WHERE kind = 'received' AND instr(body, '"traceparent":"') > 0;

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
    substr(json_extract(opening.body, '$.traceparent'), 4, 32) AS trace
FROM events AS opening
LEFT JOIN events AS ending ON ending.seq =
    (SELECT max(seq) FROM events WHERE call = opening.call AND outcome IS NOT NULL)
LEFT JOIN holds AS hold ON hold.id =
    (SELECT json_extract(body, '$.hold') FROM events
        WHERE call = opening.call AND kind = 'held' ORDER BY seq DESC LIMIT 1)
WHERE opening.kind IN ('received', 'malformed');
