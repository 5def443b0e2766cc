-- What was known of a held call's caller, so that changed arguments are judged as the call was, and
-- which user of the operating system decided in another name.
ALTER TABLE holds ADD COLUMN known TEXT;
ALTER TABLE holds ADD COLUMN decided_user TEXT;
