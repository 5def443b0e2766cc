-- Tokens for APIs, sealed: the key is not in here.
CREATE TABLE tokens (
    name     TEXT PRIMARY KEY,
    api      TEXT NOT NULL,
    scheme   TEXT,
    identity TEXT,
    "grant"  TEXT NOT NULL,
    scopes   TEXT,
    sealed   BLOB NOT NULL,
    issued   INTEGER NOT NULL,
    until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who renews a token now: what renews it may be good for one use only.
CREATE TABLE token_leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
