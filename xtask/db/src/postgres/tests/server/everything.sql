-- One of everything that a dump may contain.
CREATE SCHEMA audit;
CREATE SCHEMA "Odd "" schema";
CREATE EXTENSION hstore WITH SCHEMA public;
CREATE EXTENSION pg_trgm WITH SCHEMA audit;
CREATE EXTENSION citext WITH SCHEMA public;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s \. fine');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@\\]+@[^@]+$');
CREATE SEQUENCE loose START 41 INCREMENT 7;
SELECT nextval('loose'), nextval('loose');
CREATE TABLE users (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    mail email,
    mood mood DEFAULT 'ok',
    tags hstore,
    nick citext UNIQUE,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    raw bytea,
    ratio double precision,
    at timestamptz,
    span interval,
    doc jsonb,
    parts pair,
    many text[]
);
INSERT INTO users (name, mail, tags, nick, raw, ratio, at, span, doc, parts, many) VALUES
    (E'a\tb\nc\r\\.\\', 'a@b', 'k=>v, n=>NULL', 'Nick', '\x00ff5c2e', 0.1, '2025-01-02 03:04:05.678901+02', '1 mon 2 days', '{"a": "\u00e9"}', '(1,"x,y")', '{"a,b",NULL,"\\."}'),
    (E'\\.', NULL, NULL, NULL, NULL, 'NaN', 'infinity', NULL, NULL, NULL, NULL),
    (E'\\N', NULL, '', '', '', '-Infinity', '4713-01-01 BC', '-1 year', '[]', '(,)', '{}'),
    ('\! touch /tmp/never', 'c@d', NULL, 'été', NULL, 1e300, NULL, NULL, 'null', NULL, NULL);
CREATE TABLE posts (
    id bigserial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    parent_id bigint REFERENCES posts,
    body text
);
INSERT INTO posts (user_id, parent_id, body)
    SELECT 1 + n % 4, nullif(n - 1, 0), 'post ' || n FROM generate_series(1, 500) n;
UPDATE posts SET body = body || '!' WHERE id % 7 = 0;
DELETE FROM posts WHERE id = 500;
CREATE INDEX posts_body ON posts USING gin (body audit.gin_trgm_ops);
CREATE TABLE "Odd "" schema"."Tab.le; DROP" ("co""l umn" text, "select" integer, "new
line" text);
INSERT INTO "Odd "" schema"."Tab.le; DROP" VALUES ('$$', 1, '\.'), (NULL, NULL, '');
COMMENT ON TABLE "Odd "" schema"."Tab.le; DROP" IS E'a comment\n\\! touch /tmp/never\n--\n-- Name: x; Type: TABLE\n--\n\\.\nit''s \\ one';
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE measured (at date NOT NULL, value numeric) PARTITION BY RANGE (at);
CREATE TABLE measured_2024 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT date '2024-12-01' + n, n / 3.0 FROM generate_series(1, 60) n;
CREATE TABLE parents (a integer);
CREATE TABLE children (b integer) INHERITS (parents);
INSERT INTO children VALUES (1, 2);
CREATE UNLOGGED TABLE cache (k text PRIMARY KEY, v text);
INSERT INTO cache VALUES ('k', 'v');
CREATE TABLE secrets (owner text, what text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets USING (owner = current_user);
INSERT INTO secrets VALUES ('postgres', 'x'), ('nobody', 'y');
CREATE VIEW busy AS SELECT u.name, count(*) AS n FROM users u JOIN posts p ON p.user_id = u.id GROUP BY u.id;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) AS n FROM posts GROUP BY user_id;
CREATE UNIQUE INDEX totals_user ON totals (user_id);
CREATE FUNCTION add_one(x integer) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC
    SELECT x; SELECT x + 1; END;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    -- it's \. not $$ the end
    NEW.body := NEW.body || $$;$$;
    RETURN NEW;
END;
$body$;
CREATE FUNCTION windows() RETURNS text LANGUAGE sql AS E'\r\nSELECT ''x''::text;\r\n-- \\! touch /tmp/never\r\n';
CREATE FUNCTION plus(a pair, b pair) RETURNS pair LANGUAGE sql AS 'SELECT (a.a + b.a, a.b || b.b)::pair';
CREATE OPERATOR + (LEFTARG = pair, RIGHTARG = pair, FUNCTION = plus);
CREATE AGGREGATE sum_pair (pair) (SFUNC = plus, STYPE = pair);
CREATE TRIGGER touch BEFORE INSERT ON posts FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE ignored AS ON DELETE TO secrets DO INSTEAD NOTHING;
CREATE STATISTICS posts_stats ON user_id, parent_id FROM posts;
CREATE PUBLICATION published FOR TABLE users, posts;
CREATE TEXT SEARCH CONFIGURATION simple_copy (COPY = simple);
CREATE COLLATION audit.binary (provider = libc, locale = 'C');
CREATE CAST (pair AS text) WITH INOUT;
SELECT lo_from_bytea(90001, decode(repeat('00ff5c2e', 40000), 'hex'));
SELECT lo_from_bytea(90002, 'short');
COMMENT ON LARGE OBJECT 90002 IS 'a large object';
GRANT SELECT ON LARGE OBJECT 90002 TO PUBLIC;
GRANT SELECT (name), UPDATE (mail) ON users TO PUBLIC;
GRANT USAGE ON SCHEMA audit TO PUBLIC;
REVOKE EXECUTE ON FUNCTION add_one FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO PUBLIC;
COMMENT ON SCHEMA audit IS 'kept apart';
COMMENT ON COLUMN users.mail IS 'where';
ALTER TABLE users CLUSTER ON users_pkey;
ALTER TABLE posts SET (fillfactor = 70);
