-- Calls that their callers named by a key, with their outcomes; null while they run.
CREATE TABLE repeats (
    identity TEXT    NOT NULL,
    tool     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    call     TEXT    NOT NULL,
    expires  INTEGER NOT NULL,
    outcome  TEXT,
    PRIMARY KEY (identity, tool, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX repeats_that_end ON repeats (expires);
