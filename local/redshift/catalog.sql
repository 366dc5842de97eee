-- What Redshift has and Postgres lacks: functions, catalog views, load errors. Run at every start, by a superuser.
CREATE SCHEMA IF NOT EXISTS redshift;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;
CREATE SEQUENCE IF NOT EXISTS redshift.query_ids START 1000;
-- A shape is the bytes of its EWKB, which nobody here looks into.
DO $$ BEGIN CREATE DOMAIN redshift.geometry AS bytea; CREATE DOMAIN redshift.geography AS bytea; EXCEPTION WHEN duplicate_object THEN END $$;
CREATE TABLE IF NOT EXISTS redshift.load_errors (
  user_name text, query_id bigint, table_id oid, table_name text, start_time timestamptz, file_name text, line_number bigint,
  column_name text, column_type text, column_length text, position int, error_code int, error_message text
);
CREATE OR REPLACE VIEW redshift.sys_load_error_detail AS
  SELECT user_name, query_id, table_id::bigint, start_time, file_name, line_number, column_name, column_type, column_length, position,
    error_code, error_message
  FROM redshift.load_errors
  WHERE user_name = current_user OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);

CREATE OR REPLACE FUNCTION redshift.cut(value text, bytes int) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE cut_value text;
BEGIN
  IF octet_length(value) <= bytes THEN RETURN value; END IF;
  cut_value := left(value, bytes);
  WHILE octet_length(cut_value) > bytes LOOP
    cut_value := left(cut_value, -1 * greatest(1, (octet_length(cut_value) - bytes) / 4));
  END LOOP;
  RETURN cut_value;
END $$;

-- One string of at most 65,535 bytes, 1,000 levels, 16 MB in all (limits of the SUPER type; the strings' limit as users report it).
CREATE OR REPLACE FUNCTION redshift.super_fits(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT octet_length(value::text) <= 16777216
    AND NOT jsonb_path_exists(value, 'strict $.**{1001 to last}')
    AND NOT EXISTS (SELECT FROM jsonb_path_query(value, 'strict $.**') AS part
      WHERE jsonb_typeof(part) = 'string' AND octet_length(part #>> '{}') > 65535)
$$;

CREATE OR REPLACE FUNCTION redshift.as_super(text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT to_jsonb($1)';
CREATE OR REPLACE FUNCTION redshift.as_super(bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT to_jsonb($1)';
CREATE OR REPLACE FUNCTION redshift.as_super(numeric) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT to_jsonb($1)';
CREATE OR REPLACE FUNCTION redshift.as_super(double precision) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT to_jsonb($1)';
CREATE OR REPLACE FUNCTION redshift.as_super(boolean) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT to_jsonb($1)';
CREATE OR REPLACE FUNCTION redshift.as_super(jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1';
CREATE OR REPLACE FUNCTION redshift.as_varbyte(text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$SELECT convert_to($1, 'UTF8')$$;
CREATE OR REPLACE FUNCTION redshift.as_varbyte(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1';

-- "If num_string is empty, the converted value is 0" (r_STRTOL.md).
CREATE OR REPLACE FUNCTION redshift.strtol(value text, base int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  digits text;
  negative boolean;
  total numeric := 0;
  digit int;
BEGIN
  -- What checksums do a million times, without the loop.
  IF base = 16 AND length(value) < 16 AND value ~ '^[0-9a-f]+$' THEN RETURN ('x' || lpad(value, 16, '0'))::bit(64)::bigint; END IF;
  digits := lower(ltrim(value));
  negative := left(digits, 1) = '-';
  IF base < 2 OR base > 36 THEN RAISE 'The input base % is not between 2 and 36', base; END IF;
  digits := ltrim(digits, '+-');
  IF base = 16 THEN digits := regexp_replace(digits, '^0x', ''); END IF;
  FOR at IN 1..length(digits) LOOP
    digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, at, 1)) - 1;
    IF digit < 0 OR digit >= base THEN RAISE 'The input % is not valid to be converted to base %', value, base; END IF;
    total := total * base + digit;
  END LOOP;
  IF negative THEN total := -total; END IF;
  IF total NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN RAISE 'Input % is out of range', value; END IF;
  RETURN total;
END $$;

CREATE OR REPLACE FUNCTION redshift.sha2(value text, bits int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT encode(CASE bits WHEN 0 THEN sha256(convert_to(value, 'UTF8')) WHEN 256 THEN sha256(convert_to(value, 'UTF8'))
    WHEN 224 THEN sha224(convert_to(value, 'UTF8')) WHEN 384 THEN sha384(convert_to(value, 'UTF8'))
    WHEN 512 THEN sha512(convert_to(value, 'UTF8')) END, 'hex')
$$;
CREATE OR REPLACE FUNCTION redshift.json_parse(text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1::jsonb';
CREATE OR REPLACE FUNCTION redshift.json_serialize(jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
-- Redshift writes no blanks between JSON tokens.
DECLARE written text;
BEGIN
  CASE jsonb_typeof($1)
    WHEN 'object' THEN
      SELECT '{' || coalesce(string_agg(to_jsonb(key)::text || ':' || redshift.json_serialize(value), ','), '') || '}'
      INTO written FROM jsonb_each($1);
    WHEN 'array' THEN
      SELECT '[' || coalesce(string_agg(redshift.json_serialize(value), ',' ORDER BY at), '') || ']'
      INTO written FROM jsonb_array_elements($1) WITH ORDINALITY AS item (value, at);
    ELSE written := $1::text;
  END CASE;
  RETURN written;
END $$;
CREATE OR REPLACE FUNCTION redshift.can_json_parse(text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 IS JSON';
CREATE OR REPLACE FUNCTION redshift.is_valid_json(text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 IS JSON OBJECT';
CREATE OR REPLACE FUNCTION redshift.json_typeof(jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT jsonb_typeof($1)';
CREATE OR REPLACE FUNCTION redshift.is_array(jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS $$SELECT jsonb_typeof($1) = 'array'$$;
CREATE OR REPLACE FUNCTION redshift.is_object(jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS $$SELECT jsonb_typeof($1) = 'object'$$;
CREATE OR REPLACE FUNCTION redshift.get_array_length(jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
  $$SELECT CASE WHEN jsonb_typeof($1) = 'array' THEN jsonb_array_length($1) END$$;
CREATE OR REPLACE FUNCTION redshift.len(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT char_length($1)';
CREATE OR REPLACE FUNCTION redshift.len(bytea) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT octet_length($1)';
CREATE OR REPLACE FUNCTION redshift.textlen(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT char_length($1)';
CREATE OR REPLACE FUNCTION redshift.concat(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 || $2';
CREATE OR REPLACE FUNCTION redshift.charindex(text, text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT strpos($2, $1)';
CREATE OR REPLACE FUNCTION redshift.getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$SELECT date_trunc('second', now() AT TIME ZONE 'UTC')$$;
CREATE OR REPLACE FUNCTION redshift.convert_timezone(target text, value timestamp) RETURNS timestamp LANGUAGE sql STABLE STRICT AS
  $$SELECT value AT TIME ZONE 'UTC' AT TIME ZONE target$$;
CREATE OR REPLACE FUNCTION redshift.convert_timezone(source text, target text, value timestamp) RETURNS timestamp LANGUAGE sql STABLE STRICT AS
  'SELECT value AT TIME ZONE source AT TIME ZONE target';
CREATE OR REPLACE FUNCTION redshift.from_hex(text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$SELECT decode($1, 'hex')$$;
CREATE OR REPLACE FUNCTION redshift.st_ashexewkb(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$SELECT upper(encode($1, 'hex'))$$;
CREATE OR REPLACE FUNCTION redshift.to_hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$SELECT encode($1, 'hex')$$;
CREATE OR REPLACE FUNCTION redshift.to_hex(bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT pg_catalog.to_hex($1)';
CREATE OR REPLACE FUNCTION redshift.refuse_format(format text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RAISE 'Format % is not supported', format;
END $$;
CREATE OR REPLACE FUNCTION redshift.to_varbyte(value text, format text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT CASE lower(format) WHEN 'hex' THEN decode(value, 'hex') WHEN 'base64' THEN decode(value, 'base64')
    WHEN 'utf8' THEN convert_to(value, 'UTF8') WHEN 'utf-8' THEN convert_to(value, 'UTF8')
    ELSE redshift.refuse_format(format)::bytea END
$$;
CREATE OR REPLACE FUNCTION redshift.from_varbyte(value bytea, format text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT CASE lower(format) WHEN 'hex' THEN encode(value, 'hex') WHEN 'base64' THEN encode(value, 'base64')
    WHEN 'utf8' THEN convert_from(value, 'UTF8') WHEN 'utf-8' THEN convert_from(value, 'UTF8')
    ELSE redshift.refuse_format(format) END
$$;
CREATE OR REPLACE FUNCTION redshift.dateadd(part text, amount bigint, value timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT value + CASE part WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || part)::interval END * amount
$$;
CREATE OR REPLACE FUNCTION redshift.dateadd(part text, amount bigint, value timestamptz) RETURNS timestamptz LANGUAGE sql STABLE STRICT AS $$
  SELECT value + CASE part WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || part)::interval END * amount
$$;
-- DATEDIFF counts the boundaries crossed.
CREATE OR REPLACE FUNCTION redshift.datediff(part text, earlier timestamp, later timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT CASE part
    WHEN 'year' THEN extract(year FROM later) - extract(year FROM earlier)
    WHEN 'quarter' THEN (extract(year FROM later) * 4 + extract(quarter FROM later)) - (extract(year FROM earlier) * 4 + extract(quarter FROM earlier))
    WHEN 'month' THEN (extract(year FROM later) * 12 + extract(month FROM later)) - (extract(year FROM earlier) * 12 + extract(month FROM earlier))
    ELSE extract(epoch FROM date_trunc(part, later) - date_trunc(part, earlier)) * CASE part
      WHEN 'week' THEN 1.0 / 604800 WHEN 'day' THEN 1.0 / 86400 WHEN 'hour' THEN 1.0 / 3600 WHEN 'minute' THEN 1.0 / 60
      WHEN 'second' THEN 1 WHEN 'millisecond' THEN 1000 ELSE 1000000 END
  END::bigint
$$;
CREATE OR REPLACE FUNCTION redshift.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
  $$SELECT coalesce(nullif(current_setting('redshift.copy_count', true), '')::bigint, 0)$$;
CREATE OR REPLACE FUNCTION redshift.pg_last_copy_id() RETURNS bigint LANGUAGE sql STABLE AS
  $$SELECT coalesce(nullif(current_setting('redshift.copy_id', true), '')::bigint, -1)$$;
CREATE OR REPLACE FUNCTION redshift.pg_last_query_id() RETURNS bigint LANGUAGE sql STABLE AS
  $$SELECT coalesce(nullif(current_setting('redshift.query_id', true), '')::bigint, -1)$$;

CREATE OR REPLACE FUNCTION redshift.refuse_ambiguous(ambiguous boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF ambiguous THEN RAISE 'Found multiple matches to update the same tuple.'; END IF;
END $$;

-- Gives the columns of a CREATE TABLE AS the limits of their Redshift types.
CREATE OR REPLACE FUNCTION redshift.fit(target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  col record;
  changes text[] := '{}';
BEGIN
  FOR col IN SELECT a.attname, a.atttypid, a.atttypmod, left('bytes_' || a.attname, 63) AS bytes FROM pg_attribute a
    WHERE a.attrelid = target::regclass AND a.attnum > 0 AND NOT a.attisdropped
  LOOP
    IF col.atttypid = 'text'::regtype OR (col.atttypid = 'varchar'::regtype AND col.atttypmod = -1) THEN
      changes := changes || format('ALTER COLUMN %I TYPE character varying(65535)', col.attname)
        || format('ADD CONSTRAINT %I CHECK (octet_length(%I) <= 65535)', col.bytes, col.attname);
    ELSIF col.atttypid = 'varchar'::regtype THEN
      changes := changes || format('ADD CONSTRAINT %I CHECK (octet_length(%I) <= %s)', col.bytes, col.attname, col.atttypmod - 4);
    ELSIF col.atttypid = 'bytea'::regtype THEN
      changes := changes || format('ADD CONSTRAINT %I CHECK (octet_length(%I) <= 64000)', col.bytes, col.attname);
    ELSIF col.atttypid = 'numeric'::regtype AND col.atttypmod = -1 THEN
      changes := changes || format('ALTER COLUMN %I TYPE numeric(38,6)', col.attname);
    END IF;
  END LOOP;
  IF changes <> '{}' THEN EXECUTE format('ALTER TABLE %s %s', target, array_to_string(changes, ', ')); END IF;
END $$;

-- ALTER COLUMN … TYPE varchar(n): "only the size of a VARCHAR column", under the conditions of r_ALTER_TABLE.md.
-- Distribution and sort keys, {"dist": [attnum], "sort": [attnum]}, are kept as the table's comment.
CREATE OR REPLACE FUNCTION redshift.set_keys(target text, kind text, columns text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  named text;
  col record;
  keys jsonb := coalesce(obj_description(target::regclass, 'pg_class'), '{}')::jsonb;
  numbers jsonb := '[]';
BEGIN
  FOREACH named IN ARRAY columns LOOP
    SELECT attnum, atttypid INTO col FROM pg_attribute WHERE attrelid = target::regclass AND attname = named AND NOT attisdropped;
    IF NOT FOUND THEN RAISE 'column "%" named in key does not exist', named; END IF;
    IF col.atttypid IN ('jsonb'::regtype, 'bytea'::regtype, 'redshift.geometry'::regtype, 'redshift.geography'::regtype) THEN RAISE 'column "%" cannot be a distribution or sort key', named; END IF;
    numbers := numbers || to_jsonb(col.attnum);
  END LOOP;
  EXECUTE format('COMMENT ON TABLE %s IS %L', target::regclass, keys || jsonb_build_object(kind, numbers));
END $$;
CREATE OR REPLACE FUNCTION redshift.refuse_key_column(target text, named text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  keys jsonb := coalesce(obj_description(target::regclass, 'pg_class'), '{}')::jsonb;
  number jsonb := (SELECT to_jsonb(attnum) FROM pg_attribute WHERE attrelid = target::regclass AND attname = named AND NOT attisdropped);
BEGIN
  IF keys -> 'dist' @> number THEN RAISE 'cannot drop distkey column "%"', named; END IF;
  IF keys -> 'sort' @> number THEN RAISE 'cannot drop sortkey column "%"', named; END IF;
END $$;

CREATE OR REPLACE FUNCTION redshift.resize(target text, column_name text, bytes int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  col record;
  old_check text;
BEGIN
  SELECT a.attnum, a.atttypid, a.atthasdef, col_description(a.attrelid, a.attnum) AS note INTO col
    FROM pg_attribute a WHERE a.attrelid = target::regclass AND a.attname = column_name AND NOT a.attisdropped;
  IF NOT FOUND THEN RAISE 'column "%" of relation "%" does not exist', column_name, replace(target, '"', ''); END IF;
  IF col.atttypid <> 'varchar'::regtype THEN RAISE 'cannot alter type of column "%": only the size of a VARCHAR column can be changed', column_name; END IF;
  IF col.note IS NOT NULL THEN RAISE 'cannot alter type of column "%": it has %', column_name, col.note; END IF;
  IF col.atthasdef THEN RAISE 'cannot alter type of column "%": it has a DEFAULT', column_name; END IF;
  EXECUTE format('SELECT redshift.refuse_shrinking(count(*) > 0) FROM %s WHERE octet_length(%I) > %s', target, column_name, bytes);
  FOR old_check IN SELECT conname FROM pg_constraint
    WHERE conrelid = target::regclass AND contype = 'c' AND conkey = ARRAY[col.attnum] AND conname LIKE 'bytes\_%'
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', target, old_check);
  END LOOP;
  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE character varying(%s), ADD CONSTRAINT %I CHECK (octet_length(%I) <= %s)',
    target, column_name, bytes, left('bytes_' || column_name, 63), column_name, bytes);
END $$;
CREATE OR REPLACE FUNCTION redshift.refuse_shrinking(too_long boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF too_long THEN RAISE 'Cannot alter column size: existing values are longer than the new size'; END IF;
END $$;
