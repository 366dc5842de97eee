import { DialectError, StandInLimit } from './dialect-error.ts';
import type { RelationName } from './reader.ts';

const REDSHIFT_LIMIT = 127;
const POSTGRES_LIMIT = 63;

/**
 * Checks the length of a folded name, in bytes. Redshift's manual says that longer names are truncated; a loader that
 * relies on that would join tables by accident, so the stand-in refuses.
 */
export function foldedName(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > REDSHIFT_LIMIT) throw new DialectError(`identifier "${name}" is longer than ${REDSHIFT_LIMIT} bytes`);
  if (bytes > POSTGRES_LIMIT) {
    throw new StandInLimit(`identifier "${name}" of ${bytes} bytes (Postgres keeps ${POSTGRES_LIMIT})`);
  }
  return name;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteRelation({ schema, name }: RelationName): string {
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}

/** DG "Reserved words" (r_pg_keywords.md): can't be names without quotes. */
export const RESERVED = new Set(
  `aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
  blanksasnull both bytedict bzip2 case cast check collate column connect constraint create credentials cross
  current_date current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta
  delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for
  foreign freeze from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner
  intersect interval into is isnull join leading left like limit localtime localtimestamp lun luns lzo lzop minus
  mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
  overlaps parallel partition percent permissions pivot placing primary qualify raw readratio recover references rejectlog
  resort respect restore right select session_user similar snapshot some start sysdate system table tag tdes text255 text32k
  then timestamp to top trailing true truncatecolumns type union unique unnest unpivot user using verbose wallet when
  where with without`.split(/\s+/),
);
