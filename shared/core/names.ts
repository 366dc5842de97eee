import { createHash } from 'node:crypto';

/** A name at the source, and the one that stands for it in the warehouse. */
export interface FoldedName {
  source: string;
  name: string;
}

/** Redshift's limit (Developer Guide, Names and identifiers). */
const MAX_BYTES = 127;

/**
 * Names that Redshift keeps for its system columns. Postgres refuses most of them, too, but since version 12 has let
 * anybody call a column oid.
 */
export const SYSTEM_COLUMNS = ['oid', 'tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid', 'deletexid', 'insertxid'];

/**
 * Redshift folds identifiers to lower case, quoted ones too. A–Z only: for other letters the manual promises nothing, and
 * toLowerCase would depend on Unicode's version (İ even becomes two code points), so they stay as they are.
 */
const lower = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

const bytes = (text: string): number => Buffer.byteLength(text, 'utf8');

/** At most `limit` bytes of `text`, never half a character. */
const shorten = (text: string, limit: number): string => {
  let kept = '';
  for (const character of text) {
    if (bytes(kept) + bytes(character) > limit) break;
    kept += character;
  }
  return kept;
};

/**
 * Names for the warehouse: folded, at most 127 bytes, no two alike. Of those that collide the first keeps the plain name,
 * later ones get _2, _3 …. Each name depends on those before it alone: in the catalog's order (attnum for columns, oid for
 * tables) a newcomer renames nobody.
 */
export const foldNames = (
  names: string[],
  reserved: string[] = [],
  isReserved = (_name: string): boolean => false,
): FoldedName[] => {
  const used = new Set(reserved);
  return names.map((source) => {
    const folded = lower(source);
    let name = shorten(folded, MAX_BYTES);
    for (let n = 2; used.has(name) || isReserved(name); n++) {
      const suffix = `_${n}`;
      name = shorten(folded, MAX_BYTES - bytes(suffix)) + suffix;
    }
    used.add(name);
    return { source, name };
  });
};

/** Whether it was foldNames that gave a name which is another than folding alone makes: what a person chose is no news to them. */
export const isRenamed = ({ source, name }: FoldedName): boolean =>
  name !== lower(source) && lower(source).startsWith(name.replace(/_\d+$/, ''));

/** foldNames for the columns of one table, which may not be called like a system column: `oid` becomes `oid_2`. */
export const foldColumnNames = (names: string[]): FoldedName[] => foldNames(names, SYSTEM_COLUMNS);

/** What loads call the tables that they make for themselves, and drop: see `loadStatements`. */
const isStage = (name: string): boolean => /^loader_((stage|newest)_\d+|[0-9a-f]{16})$/.test(name);

/** foldNames for tables, of which none may be called like a stage. */
export const foldTableNames = (names: string[], taken: string[]): FoldedName[] => foldNames(names, taken, isStage);

/** The permanent stage of a table's passes that replace by several batches: the same for all, so that the next finds what one left. */
export const stageTableName = (jobId: string, sourceName: string): string =>
  `loader_${createHash('sha256').update(`${jobId}/${sourceName}`).digest('hex').slice(0, 16)}`;
