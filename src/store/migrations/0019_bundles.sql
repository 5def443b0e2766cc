-- What several calls took of one window or budget may stand in one row. It is then the last one's: its
-- place and its time, and of a budget what all of them took together and the sum up to it. `since` is when
-- the first of them was, and `uses` each of them. Both are NULL where a row is of one call. So `n` grows by
-- as many as stand in the row, and of the first row in a window its uses are counted.
ALTER TABLE window_uses ADD COLUMN since INTEGER;
ALTER TABLE window_uses ADD COLUMN uses BLOB;
ALTER TABLE budget_uses ADD COLUMN since INTEGER;
ALTER TABLE budget_uses ADD COLUMN uses BLOB;

-- What is given back is looked for among what its budgets hold.
DROP INDEX budget_uses_of_call;
