-- Long sessions are summed up, so that a prompt need not repeat them whole.

CREATE TABLE memory_summaries (
    id            INTEGER PRIMARY KEY,
    session_id    INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    summary       TEXT NOT NULL CHECK (length(summary) > 0),
    message_count INTEGER NOT NULL CHECK (message_count > 0),
    covered_until TEXT NOT NULL,
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (session_id, covered_until)
) STRICT;
