import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type pg from 'pg';
import { to } from 'pg-copy-streams';
import type { Column } from '../../shared/model/column.ts';
import { readCatalog } from '../../shared/source/catalog.ts';
import { copyOut, PIN_SESSION } from '../../shared/sql/postgres.ts';
import { quoteIdentifier } from '../../shared/sql/quote.ts';
import { mapType } from '../../shared/sql/types.ts';
import { comparedValue } from '../../shared/sql/values.ts';
import { COPY_ROLE, openWarehouse, type Warehouse } from '../redshift/warehouse.ts';
import { startTestServer, type TestServer } from '../source/server.ts';
import { SAMPLE_TYPES, SAMPLES } from './samples.ts';

const MARKER = '~null~';
let server: TestServer;
let source: pg.Client;
let warehouse: Warehouse;
let columns: Column[];

/** One column for each sample; row n has each sample's nth value, and NULL where it has no more. */
before(async () => {
  [server, warehouse] = await Promise.all([startTestServer(), openWarehouse()]);
  const owner = await server.connect();
  await owner.query(`
    ${SAMPLE_TYPES}
    CREATE TABLE origin (n int, ${SAMPLES.map(({ type }, i) => `c${i} ${type}`).join(', ')})`);
  const rows = Math.max(...SAMPLES.map(({ values }) => values.length)) + 1;
  const places = SAMPLES.map((_, i) => `$${i + 2}`).join(', ');
  for (let n = 0; n < rows; n++) {
    await owner.query(`INSERT INTO origin VALUES ($1, ${places})`, [
      n,
      ...SAMPLES.map(({ values }) => values[n] ?? null),
    ]);
  }
  source = await server.connect();
  await source.query(PIN_SESSION);
  const { tables } = await readCatalog(source, { schema: 'public', exclude: [] });
  columns = (tables[0]?.columns ?? []).map(({ name, type }) => ({
    source: name,
    name,
    sourceType: type,
    type: mapType(type).type,
  }));

  const csv = await text(source.query(to(copyOut(columns, ['FROM public.origin t'], MARKER))));
  warehouse.put('origin.csv.zst', csv, 'zstd');
  const definitions = columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
  await warehouse.ok(`CREATE TABLE "copy" (${definitions.join(', ')})`);
  const { Status } = await warehouse.run(
    `COPY "copy" FROM 's3://stage/origin.csv.zst' IAM_ROLE '${COPY_ROLE}' FORMAT AS CSV NULL AS '${MARKER}' ZSTD TIMEFORMAT 'auto'`,
  );
  const details = 'SELECT line_number, column_name, column_type, error_message FROM sys_load_error_detail';
  assert.equal(Status, 'FINISHED', Status === 'FINISHED' ? '' : JSON.stringify(await warehouse.rows(details)));
});
after(async () => {
  await warehouse?.[Symbol.asyncDispose]();
  await server?.stop();
});

/** JSON as one text, whatever its spacing and the order of its names: jsonb's. */
const canonicalJson = async (value: unknown): Promise<string> =>
  (await source.query<{ text: string }>('SELECT $1::jsonb::text AS text', [value])).rows[0]?.text ?? '';

for (const [i, { type, values }] of SAMPLES.entries()) {
  test(`${type}: Redshift's text of what COPY loaded is the source's`, async () => {
    const column = columns.find(({ name }) => name === `c${i}`);
    assert.ok(column);
    const mapping = mapType(column.sourceType);
    const at = quoteIdentifier(column.name);
    const { rows } = await source.query<[string | null]>({
      text: `SELECT ${comparedValue(column)} FROM public.origin ORDER BY n`,
      rowMode: 'array',
    });
    const loaded = await warehouse.rows(`SELECT ${mapping.warehouseText(at)} FROM "copy" ORDER BY "n"`);
    assert.equal(loaded.length, rows.length);
    for (const [n, [expected = null]] of rows.entries()) {
      const found = loaded[n]?.[0] ?? null;
      if (expected === null || mapping.compare === 'text') assert.equal(found, expected, `${values[n]}`);
      // JSON, in which the Data API answers, knows no -0.
      else if (mapping.compare === 'float') assert.equal(Number(found) + 0, Number(expected) + 0, `${values[n]}`);
      else assert.equal(await canonicalJson(found), await canonicalJson(expected), `${values[n]}`);
    }
  });
}
