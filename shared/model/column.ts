import type { PgType } from './catalog.ts';

/** One copied column as it stands on the table item. */
export interface Column {
  /** Name at the source. */
  source: string;
  /** Name in the warehouse: folded to lower case, made unique. */
  name: string;
  sourceType: PgType;
  /** Redshift's type as DDL: `VARCHAR(80)`, `SUPER`, `DECIMAL(12,2)`. */
  type: string;
}
