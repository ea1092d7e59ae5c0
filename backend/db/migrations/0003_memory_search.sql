-- Full-text search over memory. The index is derived data: triggers keep it
-- up, and `backend reindex` rebuilds it from `memory_entries`.
-- <https://sqlite.org/fts5.html#external_content_tables>

CREATE VIRTUAL TABLE memory_search USING fts5 (
    topic,
    content,
    content = 'memory_entries',
    content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER memory_entries_after_insert AFTER INSERT ON memory_entries BEGIN
    INSERT INTO memory_search (rowid, topic, content)
    VALUES (new.id, new.topic, new.content);
END;

CREATE TRIGGER memory_entries_after_delete AFTER DELETE ON memory_entries BEGIN
    INSERT INTO memory_search (memory_search, rowid, topic, content)
    VALUES ('delete', old.id, old.topic, old.content);
END;

CREATE TRIGGER memory_entries_after_update AFTER UPDATE OF id, topic, content ON memory_entries BEGIN
    INSERT INTO memory_search (memory_search, rowid, topic, content)
    VALUES ('delete', old.id, old.topic, old.content);
    INSERT INTO memory_search (rowid, topic, content)
    VALUES (new.id, new.topic, new.content);
END;

INSERT INTO memory_search (memory_search) VALUES ('rebuild');
