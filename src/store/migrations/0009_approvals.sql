-- What more there is to know of a held call: where it would go, its arguments as the agent gave
-- them, the groups that its caller claimed, who may be asked, who may not decide (a list, where
-- four eyes must), and what a person changed before they approved.
ALTER TABLE holds ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE holds ADD COLUMN given TEXT NOT NULL DEFAULT '';
ALTER TABLE holds ADD COLUMN claimed TEXT NOT NULL DEFAULT '[]';
ALTER TABLE holds ADD COLUMN asks_operator INTEGER NOT NULL DEFAULT 1;
ALTER TABLE holds ADD COLUMN asks_client INTEGER NOT NULL DEFAULT 0;
ALTER TABLE holds ADD COLUMN barred TEXT;
ALTER TABLE holds ADD COLUMN edits TEXT;

-- Keys of people who decide on held calls. They call no tool.
ALTER TABLE keys ADD COLUMN approver INTEGER NOT NULL DEFAULT 0;
