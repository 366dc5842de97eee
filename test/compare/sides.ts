import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';
import { translate } from '../../local/redshift/dialect.ts';
import { compareTable, type QueryRows } from '../../shared/core/compare.ts';
import type { Column } from '../../shared/model/column.ts';
import { mapType } from '../../shared/sql/types.ts';
import { loadedValue } from '../../shared/sql/values.ts';
import { queryRows } from './query-rows.ts';

/** One column as a test declares it: its type at the source, from which all else follows. */
export interface TestColumn {
  name: string;
  type: string;
}

export interface Sides {
  source: pg.Client;
  warehouse: pg.Client;
  /** Makes a table `t` at the source, and its like in the warehouse; the rows are the same. */
  create(columns: TestColumn[], rows: (string | null)[][]): Promise<Column[]>;
  compare(columns: Column[], where?: { source: string; warehouse: string }): ReturnType<typeof compareTable>;
  stop(): Promise<void>;
}

/** Two databases of one Postgres; the second understands Redshift's dialect, and nothing else, where it compares. */
export async function startSides(dir: string): Promise<Sides> {
  const server = await startPostgres({ dir, name: 'compare' });
  const connect = async (database: string) => {
    const client = new pg.Client(await server.createDatabase(database));
    await client.connect();
    await client.query("SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET DateStyle = 'ISO'");
    return client;
  };
  const source = await connect('source');
  const warehouse = await connect('warehouse');
  await warehouse.query(await readFile(new URL('../../local/redshift/catalog.sql', import.meta.url), 'utf8'));
  const warehouseRows: QueryRows = {
    rows(sql) {
      const translated = translate(sql);
      if (translated.kind !== 'sql') throw new Error(`not a query: ${sql}`);
      return queryRows(warehouse).rows(translated.sql.join(';'));
    },
  };
  return {
    source,
    warehouse,
    async create(columns, rows) {
      const declared = columns.map(({ name, type }) => `"${name}" ${type}`).join(', ');
      await source.query(`DROP TABLE IF EXISTS t; CREATE TABLE t (${declared})`);
      const described = await describe(source);
      await warehouse.query('DROP TABLE IF EXISTS t');
      const ddl = translate(
        `CREATE TABLE public.t (${described.map(({ name, type }) => `"${name}" ${type}`).join(', ')})`,
      );
      if (ddl.kind === 'sql') for (const sql of ddl.sql) await warehouse.query(sql);
      for (const row of rows) {
        const places = row.map((_, i) => `$${i + 1}`).join(', ');
        await source.query(`INSERT INTO t VALUES (${places})`, row);
      }
      await copyAcross(source, warehouse, described);
      return described;
    },
    compare: (columns, where) =>
      compareTable(
        { source: { schema: 'public', name: 't' }, warehouse: { schema: 'public', name: 't' }, columns, where },
        { source: queryRows(source), warehouse: warehouseRows },
      ),
    async stop() {
      await Promise.all([source.end(), warehouse.end()]);
      await server.stop();
    },
  };
}

/** The table's columns as setup would store them. */
async function describe(client: pg.Client): Promise<Column[]> {
  const { rows } = await client.query<{
    name: string;
    type: string;
    schema: string;
    typtype: string;
    typmod: number;
    declared: string;
    elements: boolean;
  }>(
    `SELECT a.attname AS name, t.typname AS type, n.nspname AS schema, t.typtype, a.atttypmod AS typmod,
       format_type(a.atttypid, a.atttypmod) AS declared, t.typcategory = 'A' AS elements
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE a.attrelid = 't'::regclass AND a.attnum > 0 ORDER BY a.attnum`,
  );
  return rows.map(({ name, type, schema, typtype, typmod, declared, elements }) => {
    const kind = elements ? ('array' as const) : typtype === 'e' ? ('enum' as const) : ('base' as const);
    const sourceType = { name: type, schema, kind, typmod, declared };
    return { source: name, name: name.toLowerCase(), sourceType, type: mapType(sourceType).type };
  });
}

/** Copies by the mapping's own expression, so that a comparison sees what a load would bring. */
async function copyAcross(source: pg.Client, warehouse: pg.Client, columns: Column[]): Promise<void> {
  const list = columns.map((column, i) => {
    const value = loadedValue(column, i);
    // As COPY prints it: a cast to text would cut off the blanks of a char(n).
    return `CASE WHEN (${value}) IS NOT NULL THEN concat(${value}) END`;
  });
  const { rows } = await source.query<(string | null)[]>({
    text: `SELECT ${list.join(', ')} FROM t`,
    rowMode: 'array',
  });
  const places = columns.map((column, i) =>
    column.type.startsWith('VARBYTE') ? `decode($${i + 1}, 'hex')` : `$${i + 1}`,
  );
  for (const row of rows) await warehouse.query(`INSERT INTO t VALUES (${places.join(', ')})`, row);
}
