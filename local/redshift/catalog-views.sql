-- Columns and tables as Redshift's own catalog shows them: its names for types, and bytes for lengths.
CREATE OR REPLACE VIEW redshift.columns AS
  SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, a.attname::text AS column_name, a.attnum::int AS ordinal_position,
    pg_get_expr(d.adbin, d.adrelid) AS column_default, NOT a.attnotnull AS nullable,
    CASE a.atttypid WHEN 'jsonb'::regtype THEN 'super' WHEN 'bytea'::regtype THEN 'binary varying'
      WHEN 'text'::regtype THEN 'character varying' WHEN 'redshift.geometry'::regtype THEN 'geometry'
      WHEN 'redshift.geography'::regtype THEN 'geography' ELSE format_type(a.atttypid, NULL) END AS data_type,
    CASE a.atttypid
      WHEN 'varchar'::regtype THEN a.atttypmod - 4
      WHEN 'bpchar'::regtype THEN a.atttypmod - 4
      WHEN 'bytea'::regtype THEN (SELECT substring(pg_get_constraintdef(k.oid) FROM '<= (\d+)')::int FROM pg_constraint k
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] AND k.conname LIKE 'bytes\_%' LIMIT 1)
    END AS character_maximum_length,
    CASE a.atttypid WHEN 'int2'::regtype THEN 16 WHEN 'int4'::regtype THEN 32 WHEN 'int8'::regtype THEN 64
      WHEN 'numeric'::regtype THEN ((a.atttypmod - 4) >> 16) & 65535 END AS numeric_precision,
    CASE WHEN a.atttypid = 'numeric'::regtype THEN (a.atttypmod - 4) & 2047 WHEN a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 0 END
      AS numeric_scale,
    c.oid AS table_id, c.relkind
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'p')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift', 'pg_toast')
    AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') OR pg_has_role(c.relowner, 'USAGE'));

CREATE OR REPLACE VIEW redshift.svv_columns AS
  SELECT current_database()::text AS table_catalog, schema_name AS table_schema, table_name, column_name, ordinal_position, column_default,
    CASE WHEN nullable THEN 'YES' ELSE 'NO' END AS is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale,
    NULL::text AS remarks
  FROM redshift.columns;
CREATE OR REPLACE VIEW redshift.information_schema_columns AS SELECT * FROM redshift.svv_columns;
CREATE OR REPLACE VIEW redshift.svv_redshift_columns AS
  SELECT current_database()::text AS database_name, schema_name, table_name, column_name, ordinal_position,
    data_type || CASE WHEN character_maximum_length IS NOT NULL THEN '(' || character_maximum_length || ')'
      WHEN data_type = 'numeric' THEN '(' || numeric_precision || ',' || numeric_scale || ')' ELSE '' END AS data_type,
    column_default, CASE WHEN nullable THEN 'YES' ELSE 'NO' END AS is_nullable, NULL::text AS remarks
  FROM redshift.columns;
-- "pg_table_def only returns information about tables that are visible to the user": those on the search path.
CREATE OR REPLACE VIEW redshift.pg_table_def AS
  SELECT schema_name AS schemaname, table_name AS tablename, column_name AS "column",
    data_type || CASE WHEN character_maximum_length IS NOT NULL THEN '(' || character_maximum_length || ')'
      WHEN data_type = 'numeric' THEN '(' || numeric_precision || ',' || numeric_scale || ')' ELSE '' END AS type,
    NOT nullable AS "notnull"
  FROM redshift.columns WHERE relkind = 'r' AND pg_table_is_visible(table_id);
CREATE OR REPLACE VIEW redshift.svv_tables AS
  SELECT current_database()::text AS table_catalog, n.nspname::text AS table_schema, c.relname::text AS table_name,
    CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, NULL::text AS remarks
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift', 'pg_toast')
    AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') OR pg_has_role(c.relowner, 'USAGE'));
CREATE OR REPLACE VIEW redshift.show_tables AS
  SELECT table_catalog AS database_name, table_schema AS schema_name, table_name,
    CASE table_type WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END AS table_type
  FROM redshift.svv_tables;
CREATE OR REPLACE VIEW redshift.show_columns AS
  SELECT table_catalog AS database_name, table_schema AS schema_name, table_name, column_name, ordinal_position, column_default, is_nullable,
    data_type, character_maximum_length, numeric_precision, remarks
  FROM redshift.svv_columns;

GRANT SELECT ON redshift.svv_columns, redshift.information_schema_columns, redshift.svv_redshift_columns, redshift.pg_table_def,
  redshift.svv_tables, redshift.show_tables, redshift.show_columns, redshift.sys_load_error_detail TO PUBLIC;
