-- What of a held call may hold personal data goes once nobody decides on it any more: 1 where that is
-- asked for, 2 where it is done.
ALTER TABLE holds ADD COLUMN erase INTEGER NOT NULL DEFAULT 0;

CREATE INDEX holds_to_erase ON holds (erase) WHERE erase = 1;
