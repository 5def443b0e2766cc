-- What calls took of budgets. Amounts are whole numbers of 10^-18 parts, as text: SQLite's own
-- integers are too short for them. Within a key n grows by one a row and at never falls, and total
-- is the sum of the amounts up to and with this row, so what is in a window is the last total
-- less the first, and the first amount. What is given back becomes an amount of 0. No row matters
-- after until.
CREATE TABLE budget_uses (
    key    TEXT NOT NULL,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    call   TEXT NOT NULL,
    amount TEXT NOT NULL,
    total  TEXT NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (key, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX budget_uses_of_time ON budget_uses (key, at);
CREATE INDEX budget_uses_of_call ON budget_uses (call);
