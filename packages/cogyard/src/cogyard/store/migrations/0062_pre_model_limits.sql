-- How many predictions of a model may be asked for in a window of so many seconds, and how many may wait or run at once.
ALTER TABLE models ADD COLUMN limit_predictions INTEGER;
ALTER TABLE models ADD COLUMN limit_window INTEGER;
ALTER TABLE models ADD COLUMN limit_at_once INTEGER;
