-- What was learned of APIs' limits, for a process that begins later.
CREATE TABLE learned_limits (
    api      TEXT    NOT NULL,
    -- Whose credential it is about; empty where it is about all of the API.
    identity TEXT    NOT NULL,
    -- Where the API was: what is learned of one address says nothing of another.
    origin   TEXT    NOT NULL,
    learned  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    PRIMARY KEY (api, identity)
) STRICT, WITHOUT ROWID;

CREATE INDEX learned_limits_that_end ON learned_limits (expires);

-- Which call a task follows: it ends with its task where its process was killed.
ALTER TABLE tasks ADD COLUMN call TEXT;
