import type { CopyStatement } from './copy-statement.ts';
import type { RelationName } from './reader.ts';

/** One Redshift statement as the stand-in runs it. */
export type Translated = TranslatedCopy | TranslatedSql;

export interface TranslatedCopy {
  kind: 'copy';
  copy: CopyStatement;
}

export interface TranslatedSql {
  kind: 'sql';
  /** Postgres statements, run one after another */
  sql: string[];
  /** `rows`: the last statement's result set; `count`: how many rows the statements affected; `none`: DDL */
  answers: 'rows' | 'count' | 'none';
  /** The table whose writers queue up here, as Redshift's table lock makes them do */
  writes?: RelationName;
  /** Set where the statement commits, or can't run in a transaction block: its name, for the refusal in a batch */
  alone?: string;
}

export const definition = (...sql: string[]): TranslatedSql => ({ kind: 'sql', sql, answers: 'none' });
