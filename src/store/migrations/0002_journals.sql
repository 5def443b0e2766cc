-- What a process acknowledged before it was in here stands in a file of its own beside this
-- one. Until which of its records that has been taken over; written with the events themselves.
CREATE TABLE journals (
    name    TEXT PRIMARY KEY,
    applied INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
