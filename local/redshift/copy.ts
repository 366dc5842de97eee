import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { type Loaded, loadCarefully } from './careful-load.ts';
import { asSourceError, type CopyFile, copyFiles, type Objects, openFile } from './copy-files.ts';
import type { CopyStatement } from './copy-statement.ts';
import { type CopyColumn, copyTarget } from './copy-target.ts';
import { DialectError } from './dialect-error.ts';
import { LoadSourceError } from './load-error.ts';
import { quoteName, quoteRelation } from './names.ts';
import { isCancelled } from './redshift-error.ts';
import type { Session } from './sessions.ts';
import { postgresString } from './strings.ts';

/** What a COPY needs to know of the warehouse it runs in. */
export interface CopyWarehouse {
  objects: Objects;
  attachedRoles: string[];
  region: string;
}

/**
 * Runs a COPY inside the session's transaction.
 * @returns rows loaded, and rows left out under MAXERROR
 * @throws LoadFailed (data), LoadSourceError (objects), DialectError (columns, role)
 */
export async function runCopy(
  copy: CopyStatement,
  session: Session,
  warehouse: CopyWarehouse,
): Promise<Loaded & { tableId: number }> {
  const role = copyRole(copy.role, warehouse.attachedRoles);
  if (copy.region !== undefined && copy.region !== warehouse.region) {
    throw new LoadSourceError(
      `S3ServiceException:The bucket is in ${warehouse.region}, not in ${copy.region},Status 301`,
    );
  }
  const target = await copyTarget(session, copy);
  const files = await copyFiles(copy, role, warehouse.objects);
  const open = (file: CopyFile) => openFile(file, copy, role, warehouse.objects);
  const load = { copy, session, target, files, open };
  const { tableId } = target;
  if (!isPlain(copy, target.columns)) return { tableId, ...(await loadCarefully(load)) };
  await session.client.query('SAVEPOINT copy_start');
  try {
    const rows = await loadDirectly(copy, session, target.columns, files, open);
    await session.client.query('RELEASE SAVEPOINT copy_start');
    return { tableId, rows, errors: [] };
  } catch (error) {
    if (error instanceof LoadSourceError || isCancelled(error) || isRefusal(error)) throw error;
    // Postgres and Redshift read CSV alike but for details; what Postgres refuses is read again, value by value.
    await session.client.query('ROLLBACK TO SAVEPOINT copy_start');
    return { tableId, ...(await loadCarefully(load)) };
  }
}

/** Not the data's fault: no permission, no such table. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code?.startsWith('42') === true;
}

function copyRole(role: string, attached: string[]): string {
  const wanted = role === 'default' ? attached[0] : role;
  if (wanted === undefined) throw new DialectError('No default IAM role is attached to the warehouse');
  if (!attached.includes(wanted)) {
    throw new DialectError(`User is not authorized to assume IAM Role ${wanted}: it is not attached to the warehouse`);
  }
  return wanted;
}

/**
 * May the bytes go to Postgres as they are? Not where Redshift's reading differs silently: VARBYTE is hexadecimal
 * text, decimals are cut off unless ROUNDEC.
 */
function isPlain(copy: CopyStatement, columns: CopyColumn[]): boolean {
  if (copy.emptyAsNull || copy.blanksAsNull || copy.truncateColumns || copy.acceptInvalid !== undefined) return false;
  if (copy.maxErrors > 0 || copy.ignoreHeader > 1 || copy.nullAs.includes('\n') || copy.nullAs.includes('"'))
    return false;
  if (columns.some((column) => column.family === 'varbyte' || column.family === 'spatial')) return false;
  return copy.roundDecimals || !columns.some((column) => column.family === 'decimal');
}

/**
 * To Postgres 17 a line `\.` ends the data, also in CSV; to Redshift it is text like any other ("End-of-data marker"
 * in Postgres' COPY). Where the two bytes occur at all, the careful way reads the file.
 */
async function* refuseEndMarks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let last = 0;
  for await (const chunk of source) {
    if (chunk.includes('\\.') || (last === BACKSLASH && chunk[0] === POINT)) throw new Error('end-of-data mark');
    last = chunk.at(-1) ?? last;
    yield chunk;
  }
}

const BACKSLASH = 0x5c;
const POINT = 0x2e;

type Open = (file: CopyFile) => ReturnType<typeof openFile>;

/** The bytes stream from the object through the decompressor into Postgres; JavaScript doesn't look at them. */
async function loadDirectly(
  copy: CopyStatement,
  session: Session,
  columns: CopyColumn[],
  files: CopyFile[],
  open: Open,
) {
  const names = columns.map((column) => quoteName(column.name)).join(', ');
  const options = [
    'FORMAT csv',
    `DELIMITER ${postgresString(copy.delimiter)}`,
    `QUOTE ${postgresString(copy.quote)}`,
    `NULL ${postgresString(copy.nullAs)}`,
    ...(copy.ignoreHeader === 1 ? ['HEADER true'] : []),
  ];
  const sql = `COPY ${quoteRelation(copy.table)} (${names}) FROM STDIN (${options.join(', ')})`;
  let rows = 0;
  for (const file of files) {
    const bytes = await open(file);
    if (!bytes) continue;
    const sink = session.client.query(copyFrom(sql));
    try {
      await pipeline(bytes, refuseEndMarks, sink);
    } catch (error) {
      throw asSourceError(error, file, copy);
    }
    rows += sink.rowCount;
  }
  return rows;
}
