/** The queries behind readCatalog, in the syntax of PostgreSQL 12. Numbers come as float8, which the driver parses. */

export const SERVER = `
SELECT current_database()::text AS database, current_user::text AS "user",
       current_setting('server_version_num')::int4 AS version`;

/** The schemas that are not the server's own. $1: one that is looked for, whoever's it is. */
export const SCHEMAS = `
SELECT nspname::text AS name FROM pg_catalog.pg_namespace
WHERE nspname = $1 OR nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname`;

/**
 * $1: schema. One row a table, with figures summed over its partitions.
 * Statistics: a standby has none of its primary's, and with track_counts off they stand at zero; both count as unreadable.
 * A table whose file has no byte never held a row: pg_relation_size looks at the file, so rows that nobody committed count.
 * reltuples: before version 14 a table that was never analysed has 0 rows in 0 pages instead of -1.
 */
export const RELATIONS = `
WITH RECURSIVE wanted AS (
  SELECT c.oid, c.relname, c.relkind
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), parts AS (
  SELECT oid AS root, oid, relkind FROM wanted
  UNION ALL
  SELECT parts.root, c.oid, c.relkind
  FROM parts JOIN pg_catalog.pg_inherits i ON i.inhparent = parts.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  WHERE parts.relkind = 'p'
), figures AS (
  SELECT parts.root, sum(s.n_tup_ins)::float8 AS inserted, sum(s.n_tup_upd)::float8 AS updated,
         sum(s.n_tup_del)::float8 AS deleted,
         CASE WHEN bool_and(c.reltuples < 0 OR c.reltuples = 0 AND c.relpages = 0) THEN -1
              ELSE sum(greatest(c.reltuples, 0)::float8) END AS estimated
  FROM parts JOIN pg_catalog.pg_class c ON c.oid = parts.oid
  LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = parts.oid
  WHERE parts.relkind <> 'p'
  GROUP BY parts.root
), below AS (
  SELECT w.oid AS root, i.inhrelid AS oid FROM wanted w JOIN pg_catalog.pg_inherits i ON i.inhparent = w.oid
  UNION
  SELECT below.root, i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
), holders AS (
  SELECT below.root, json_agg(json_strip_nulls(json_build_object('oid', c.oid::int8,
           'empty', c.relkind = 'r' AND pg_relation_size(c.oid) = 0, 'foreign', CASE WHEN c.relkind = 'f' THEN true END))
                              ORDER BY c.oid) AS parts
  FROM below JOIN pg_catalog.pg_class c ON c.oid = below.oid
  WHERE c.relkind <> 'p'
  GROUP BY below.root
)
SELECT w.oid, w.relname::text AS name,
       CASE w.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign'
                      ELSE 'materialized view' END AS kind,
       CASE WHEN f.inserted IS NOT NULL AND current_setting('track_counts')::bool AND NOT pg_catalog.pg_is_in_recovery()
                 AND w.relkind IN ('r', 'p')
            THEN json_build_object('inserted', f.inserted, 'updated', f.updated, 'deleted', f.deleted) END AS stats,
       coalesce(f.estimated, 0)::float8 AS "estimatedRows",
       has_schema_privilege($1, 'USAGE') AND has_table_privilege(w.oid, 'SELECT') AS readable,
       has_schema_privilege($1, 'USAGE') AS "schemaUsable",
       row_security_active(w.oid) AS "rowSecurity", coalesce(h.parts, '[]') AS parts,
       EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped)
         AS "hasColumns"
FROM wanted w LEFT JOIN figures f ON f.root = w.oid LEFT JOIN holders h ON h.root = w.oid
ORDER BY w.oid`;

/**
 * $1: oids of tables. One row a column, its type followed through domains over domains to the base. Of stacked domains the
 * one nearest to the base has the type modifier; any of them may forbid NULL.
 */
export const COLUMNS = `
WITH RECURSIVE follow AS (
  SELECT a.attrelid, a.attnum, a.attname, a.atttypid AS typid, a.atttypmod AS typmod, a.attnotnull AS filled,
         format_type(a.atttypid, a.atttypmod) AS declared,
         a.atthasdef OR a.atthasmissing OR a.attidentity <> '' AS preset
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT f.attrelid, f.attnum, f.attname, d.typbasetype, d.typtypmod, f.filled OR d.typnotnull, f.declared,
         f.preset OR d.typdefault IS NOT NULL
  FROM follow f JOIN pg_catalog.pg_type d ON d.oid = f.typid AND d.typtype = 'd'
)
SELECT f.attrelid AS "table", f.attname::text AS "column", f.attnum, NOT f.filled AS nullable, f.preset,
       t.typname::text AS name, n.nspname::text AS schema, f.typmod, f.declared, x.extname::text AS extension,
       CASE WHEN e.oid IS NOT NULL THEN 'array'
            ELSE CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range'
                                WHEN 'm' THEN 'multirange' ELSE 'base' END END AS kind
FROM follow f
JOIN pg_catalog.pg_type t ON t.oid = f.typid AND t.typtype <> 'd'
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
ORDER BY f.attrelid, f.attnum`;

/**
 * $1: oids of tables. INCLUDEd columns are no part of a key; an exclusion constraint (also one WITHOUT OVERLAPS) is none.
 * A unique index counts as a key only without predicate and expressions, and if none of its columns may be NULL.
 */
export const INDEXES = `
WITH keys AS (
  SELECT i.indexrelid, i.indrelid, i.indisprimary, i.indisunique AND NOT i.indisexclusion AS exact,
         i.indpred IS NULL AS whole, am.amname = 'btree' AS ordered,
         array_agg(a.attname::text ORDER BY k.position) AS columns,
         bool_and(coalesce(a.attnotnull OR t.typnotnull, false)) AS filled,
         min(CASE WHEN k.position = 1 THEN a.attname END::text) AS first
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = c.relam
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND k.position <= i.indnkeyatts
  GROUP BY i.indexrelid, i.indrelid, i.indisprimary, i.indisunique, i.indisexclusion, i.indpred IS NULL, am.amname
)
SELECT indrelid AS "table", columns,
       CASE WHEN exact AND indisprimary THEN 'primary' WHEN exact AND whole AND filled THEN 'unique'
            ELSE 'other' END AS role,
       CASE WHEN whole AND ordered THEN first END AS leads
FROM keys
ORDER BY indrelid, indexrelid`;

/**
 * $1: oids of tables. Sequences behind an identity, or behind a default that is nextval() and nothing else; one that cycles
 * feeds no rising numbers.
 */
export const SEQUENCES = `
WITH fed AS (
  SELECT d.refobjid AS attrelid, d.refobjsubid AS attnum, d.objid AS sequence
  FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
    AND d.deptype = 'i' AND d.refobjid = ANY ($1::oid[]) AND d.refobjsubid > 0
  UNION
  SELECT f.adrelid, f.adnum, d.refobjid
  FROM pg_catalog.pg_attrdef f
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
                             AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
  WHERE f.adrelid = ANY ($1::oid[]) AND pg_catalog.pg_get_expr(f.adbin, f.adrelid) ~ '^\\(?nextval\\([^()]*\\)\\)?(::[a-z]+)?$'
)
SELECT fed.attrelid AS "table", a.attname::text AS "column", s.seqcache::float8 AS cache, s.seqincrement::float8 AS increment
FROM fed
JOIN pg_catalog.pg_sequence s ON s.seqrelid = fed.sequence AND NOT s.seqcycle
JOIN pg_catalog.pg_attribute a ON a.attrelid = fed.attrelid AND a.attnum = fed.attnum AND NOT a.attisdropped
ORDER BY fed.attrelid, fed.attnum`;
