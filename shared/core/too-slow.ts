import { errors } from '../model/errors.ts';

/**
 * The source did not hand over rows in the time that one function has, or somebody there cancelled it.
 * @param walked whether the table is read along its key, and so in chunks
 */
export const tooSlow = (sourceName: string, walked: boolean, cause?: unknown): Error =>
  errors.extractTooSlow(
    walked
      ? `${sourceName}: the source did not hand over a chunk in time – smaller ones are tried; if even they are too slow, look there for locks, load and a statement_timeout`
      : `${sourceName}: the source did not hand it over in the time that one function has, and without a key that is never NULL it can't be read in parts – name the columns of a unique index as its primaryKey, or exclude columns`,
    cause,
  );
