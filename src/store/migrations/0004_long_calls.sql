-- Calls that an API took and is not done with: where they are asked after when they are made again.
CREATE TABLE pendings (
    identity TEXT    NOT NULL,
    tool     TEXT    NOT NULL,
    digest   TEXT    NOT NULL,
    call     TEXT    NOT NULL,
    handle   TEXT    NOT NULL,
    expires  INTEGER NOT NULL,
    PRIMARY KEY (identity, tool, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX pendings_that_end ON pendings (expires);

-- Calls that clients follow as tasks. One that works is alive while its process says so.
CREATE TABLE tasks (
    id       TEXT PRIMARY KEY,
    identity TEXT    NOT NULL,
    tool     TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    alive    INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('working', 'cancelling', 'completed', 'failed', 'cancelled')),
    result   TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_that_end ON tasks (expires);
CREATE INDEX tasks_of_identity ON tasks (identity, state);
