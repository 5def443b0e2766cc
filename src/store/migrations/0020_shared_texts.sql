-- Texts that many events have in common, each once: by what a call went, and which policies are
-- considered for a tool. `digest` is the SHA-256 of the text in base64url, and an event names it in its
-- body as `shared`, so that the chain covers the text too.
CREATE TABLE shared_texts (
    digest TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER shared_texts_keep_their_words BEFORE UPDATE ON shared_texts
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no shared text is changed');
END;

CREATE TRIGGER shared_texts_stay BEFORE DELETE ON shared_texts
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no shared text is deleted');
END;

-- `INSERT OR REPLACE` deletes, and asks no trigger for that.
CREATE TRIGGER shared_texts_are_one BEFORE INSERT ON shared_texts
WHEN EXISTS (SELECT 1 FROM shared_texts WHERE digest = NEW.digest AND text <> NEW.text)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only: no shared text is changed');
END;

-- The policies that each decision considered, what became of them, and what stood where they read.
CREATE VIEW considered AS
SELECT
    decided.call,
    strftime('%Y-%m-%dT%H:%M:%fZ', decided.at / 1000000.0, 'unixepoch') AS time,
    decided.decision,
    line.value ->> '$.rule' AS rule,
    line.value ->> '$.effect' AS effect,
    CASE substr(decided.payload ->> '$.became', line.key + 1, 1)
        WHEN 's' THEN 'satisfied' WHEN 'n' THEN 'not satisfied' WHEN 'f' THEN 'failed'
    END AS outcome,
    decided.payload ->> ('$.failed."' || line.key || '"') AS why,
    (SELECT json_group_object(
            form.text ->> ('$.places[' || place.value || ']'),
            CASE json_type(decided.payload, '$.read[' || place.value || ']')
                WHEN 'object' THEN json_quote(decided.payload ->> ('$.read[' || place.value || '].cut'))
                ELSE coalesce(decided.payload -> ('$.read[' || place.value || '][0]'),
                    json_quote('not there'))
            END)
        FROM json_each(line.value, '$.reads') AS place
        WHERE json_type(decided.payload, '$.read[' || place.value || ']') <> 'null') AS "values",
    decided.at
FROM events AS decided
JOIN shared_texts AS form ON form.digest = decided.body ->> '$.shared'
JOIN json_each(form.text, '$.considered') AS line
WHERE decided.kind = 'decided' AND decided.payload IS NOT NULL
    AND substr(decided.payload ->> '$.became', line.key + 1, 1) <> '-';
