-- What the assistant remembers across sessions, and which of it a persona
-- always has in view (pins).

CREATE TABLE memory_entries (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER REFERENCES sessions (id) ON DELETE SET NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('fact', 'preference', 'event', 'task')),
    topic      TEXT NOT NULL CHECK (length(topic) BETWEEN 1 AND 120),
    content    TEXT NOT NULL CHECK (length(content) > 0),
    importance INTEGER NOT NULL DEFAULT 3 CHECK (importance BETWEEN 1 AND 5),
    embedding  BLOB CHECK (length(embedding) = 256), -- 256 dimensions, one signed byte each
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE INDEX memory_entries_by_session ON memory_entries (session_id);

CREATE TABLE memory_pins (
    persona_id      INTEGER NOT NULL REFERENCES personas (id) ON DELETE CASCADE,
    memory_entry_id INTEGER NOT NULL REFERENCES memory_entries (id) ON DELETE CASCADE,
    pinned_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (persona_id, memory_entry_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX memory_pins_by_entry ON memory_pins (memory_entry_id);
