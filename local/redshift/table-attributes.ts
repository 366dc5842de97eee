import { DialectError } from './dialect-error.ts';
import type { Reader } from './reader.ts';

/** r_CREATE_TABLE_NEW.md: "a maximum of 400 SORTKEY columns", "a maximum of eight columns in an interleaved sort key". */
const MOST_SORTKEYS = 400;
const MOST_INTERLEAVED = 8;

/** What stands behind a table's column list: it means nothing to Postgres. */
export interface TableAttributes {
  any: boolean;
  distStyle?: string;
  distKey: string[];
  sortKey: string[];
  interleaved: boolean;
}

export const noAttributes = (): TableAttributes => ({ any: false, distKey: [], sortKey: [], interleaved: false });

/** BACKUP, DISTSTYLE, DISTKEY, SORTKEY and ENCODE AUTO, in any order. */
export function readAttributes(reader: Reader): TableAttributes {
  const found = noAttributes();
  while (readAttribute(reader, found)) found.any = true;
  return found;
}

export function readAttribute(reader: Reader, found: TableAttributes): boolean {
  if (reader.skip('backup')) {
    if (!reader.skip('yes') && !reader.skip('no')) throw reader.error();
  } else if (reader.skip('diststyle')) {
    found.distStyle = ['auto', 'even', 'key', 'all'].find((style) => reader.skip(style));
    if (!found.distStyle) throw reader.error();
  } else if (reader.skip('distkey')) found.distKey = reader.list(() => reader.name());
  else if (reader.sees('compound') || reader.sees('interleaved')) {
    found.interleaved = reader.skip('interleaved');
    if (!found.interleaved) reader.expect('compound');
    reader.expect('sortkey');
    found.sortKey = reader.list(() => reader.name());
  } else if (reader.skip('sortkey')) {
    if (!reader.skip('auto') && reader.sees('(')) found.sortKey = reader.list(() => reader.name());
  } else if (reader.skip('encode')) reader.expect('auto');
  else return false;
  return true;
}

/** The columns that are keys. @throws DialectError where the attributes don't go together */
export function checkedKeys({ distStyle, distKey, sortKey, interleaved }: TableAttributes): string[] {
  if (distKey.length > 1) throw new DialectError('only one column can be a distribution key');
  if (distKey.length > 0 && distStyle !== undefined && distStyle !== 'key')
    throw new DialectError(`cannot specify a DISTKEY with DISTSTYLE ${distStyle.toUpperCase()}`);
  const most = interleaved ? MOST_INTERLEAVED : MOST_SORTKEYS;
  if (sortKey.length > most) throw new DialectError(`cannot have more than ${most} sort keys`);
  return [...distKey, ...sortKey];
}
