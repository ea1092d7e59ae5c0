-- Sessions can be put away without losing them.

ALTER TABLE sessions ADD COLUMN archived_at TEXT CHECK (archived_at >= created_at);

CREATE INDEX sessions_archived ON sessions (archived_at) WHERE archived_at IS NOT NULL;
