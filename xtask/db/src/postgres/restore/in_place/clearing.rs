//! The SQL that finds and drops what is ours in a database: all but extensions and what belongs to them.

/// The tables that writers use, in the order of their numbers, so that two restores cannot block each other.
pub(super) const TABLES: &str = "
    SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
          AND objid = c.oid AND deptype = 'e')
      ORDER BY c.oid";

/// The schemas that stay, because an extension is in them or they are every database's.
pub(super) const STAYING: &str = "
    SELECT nspname FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND (nspname = 'public'
        OR EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)
        OR EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
        OR EXISTS (SELECT FROM pg_depend member JOIN pg_depend place
          ON place.classid = member.classid AND place.objid = member.objid
          WHERE member.deptype = 'e' AND place.refclassid = 'pg_namespace'::regclass
            AND place.refobjid = n.oid))";

/// Drops everything else. Each object is named by the server itself; one that went with another is skipped.
/// What an extension (`e`) or another object (`i`, e.g. an identity column) consists of is not dropped by
/// itself. Comments and rights of what stays are reset to
/// those that a dump does not mention.
pub(super) const CLEAR: &str = r"
DO $clear$
DECLARE
  found record;
  wanted record;
BEGIN
  FOR found IN
    WITH schemas AS (
      SELECT n.oid, nspname = 'public'
        OR EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)
        OR EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
        OR EXISTS (SELECT FROM pg_depend member JOIN pg_depend place
          ON place.classid = member.classid AND place.objid = member.objid
          WHERE member.deptype = 'e' AND place.refclassid = 'pg_namespace'::regclass
            AND place.refobjid = n.oid) AS stays
        FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    ), objects AS (
      SELECT 1 AS rank, 'pg_event_trigger'::regclass AS class, oid FROM pg_event_trigger
      UNION ALL SELECT 2, 'pg_publication'::regclass, oid FROM pg_publication
      UNION ALL SELECT 3, 'pg_namespace'::regclass, oid FROM schemas WHERE NOT stays
      UNION ALL SELECT 4, 'pg_class'::regclass, c.oid FROM pg_class c JOIN schemas s ON s.oid = relnamespace
        WHERE stays AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL SELECT 5, 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN schemas s ON s.oid = pronamespace
        WHERE stays
      UNION ALL SELECT 6, 'pg_operator'::regclass, o.oid FROM pg_operator o
        JOIN schemas s ON s.oid = oprnamespace WHERE stays
      UNION ALL SELECT 6, 'pg_opclass'::regclass, o.oid FROM pg_opclass o
        JOIN schemas s ON s.oid = opcnamespace WHERE stays
      UNION ALL SELECT 7, 'pg_opfamily'::regclass, o.oid FROM pg_opfamily o
        JOIN schemas s ON s.oid = opfnamespace WHERE stays
      UNION ALL SELECT 8, 'pg_type'::regclass, t.oid FROM pg_type t JOIN schemas s ON s.oid = typnamespace
        WHERE stays AND (typrelid = 0 OR (SELECT relkind FROM pg_class c WHERE c.oid = typrelid) = 'c')
      UNION ALL SELECT 9, 'pg_collation'::regclass, c.oid FROM pg_collation c
        JOIN schemas s ON s.oid = collnamespace WHERE stays
      UNION ALL SELECT 9, 'pg_conversion'::regclass, c.oid FROM pg_conversion c
        JOIN schemas s ON s.oid = connamespace WHERE stays
      UNION ALL SELECT 9, 'pg_statistic_ext'::regclass, x.oid FROM pg_statistic_ext x
        JOIN schemas s ON s.oid = stxnamespace WHERE stays
      UNION ALL SELECT 9, 'pg_ts_config'::regclass, x.oid FROM pg_ts_config x
        JOIN schemas s ON s.oid = cfgnamespace WHERE stays
      UNION ALL SELECT 10, 'pg_ts_dict'::regclass, x.oid FROM pg_ts_dict x
        JOIN schemas s ON s.oid = dictnamespace WHERE stays
      UNION ALL SELECT 11, 'pg_ts_template'::regclass, x.oid FROM pg_ts_template x
        JOIN schemas s ON s.oid = tmplnamespace WHERE stays
      UNION ALL SELECT 11, 'pg_ts_parser'::regclass, x.oid FROM pg_ts_parser x
        JOIN schemas s ON s.oid = prsnamespace WHERE stays
      UNION ALL SELECT 12, 'pg_cast'::regclass, oid FROM pg_cast
      UNION ALL SELECT 12, 'pg_transform'::regclass, oid FROM pg_transform
      UNION ALL SELECT 13, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
      UNION ALL SELECT 14, 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
      UNION ALL SELECT 15, 'pg_language'::regclass, oid FROM pg_language
      UNION ALL SELECT 15, 'pg_am'::regclass, oid FROM pg_am
    )
    SELECT class, oid FROM objects o WHERE (oid >= 16384)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid
        AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))
    ORDER BY rank, oid
  LOOP
    SELECT * INTO wanted FROM pg_identify_object(found.class, found.oid, 0);
    IF wanted.identity IS NOT NULL THEN
      EXECUTE format('DROP %s %s CASCADE', CASE wanted.type
        WHEN 'statistics object' THEN 'STATISTICS' WHEN 'composite type' THEN 'TYPE'
        ELSE wanted.type END, wanted.identity);
    END IF;
  END LOOP;

  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;

  FOR found IN
    SELECT nspname, oid, nspowner, pg_get_userbyid(a.grantee) AS grantee, a.grantee = 0 AS everybody
      FROM pg_namespace n, aclexplode(nspacl) a
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(nspowner, 'MEMBER')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
  LOOP
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %s CASCADE', found.nspname,
      CASE WHEN found.everybody THEN 'PUBLIC' ELSE format('%I', found.grantee) END);
  END LOOP;
  FOR found IN
    SELECT nspname FROM pg_namespace n
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(nspowner, 'MEMBER')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
  LOOP
    EXECUTE format('COMMENT ON SCHEMA %I IS %s', found.nspname,
      CASE WHEN found.nspname = 'public' THEN '''standard public schema''' ELSE 'NULL' END);
  END LOOP;
  FOR found IN
    SELECT nspname, pg_get_userbyid(a.grantee) AS grantee, a.grantee = 0 AS everybody, privilege_type
      FROM pg_namespace n, aclexplode(coalesce(
        (SELECT initprivs FROM pg_init_privs WHERE classoid = 'pg_namespace'::regclass
          AND objoid = n.oid AND objsubid = 0), acldefault('n', nspowner))) a
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(nspowner, 'MEMBER')
        AND nspacl IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
  LOOP
    EXECUTE format('GRANT %s ON SCHEMA %I TO %s', found.privilege_type, found.nspname,
      CASE WHEN found.everybody THEN 'PUBLIC' ELSE format('%I', found.grantee) END);
  END LOOP;

  FOR found IN
    SELECT pg_get_userbyid(defaclrole) AS role, defaclrole, defaclobjtype AS kind, nspname,
      coalesce(CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        'PUBLIC') AS grantee
      FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
        LEFT JOIN LATERAL aclexplode(defaclacl) a ON true
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE ALL ON %s FROM %s', found.role,
      'IN SCHEMA ' || quote_ident(found.nspname), CASE found.kind WHEN 'r' THEN 'TABLES'
        WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
      found.grantee);
  END LOOP;
  FOR found IN
    SELECT pg_get_userbyid(defaclrole) AS role, defaclobjtype AS kind,
      CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
      privilege_type
      FROM pg_default_acl, aclexplode(acldefault(CASE defaclobjtype WHEN 'S' THEN 's'
        ELSE defaclobjtype END, defaclrole)) a WHERE defaclnamespace = 0
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT %s ON %s TO %s', found.role,
      found.privilege_type, CASE found.kind WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
        WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END, found.grantee);
  END LOOP;
END
$clear$;";
