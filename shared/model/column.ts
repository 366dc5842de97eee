import type { PgType } from './catalog.ts';
import type { ValuePolicies } from './policies.ts';

/** One copied column as it stands on the table item. */
export interface Column {
  /** Name at the source. */
  source: string;
  /** Name in the warehouse: folded to lower case, made unique. */
  name: string;
  sourceType: PgType;
  /** Redshift's type as DDL: `VARCHAR(80)`, `SUPER`, `DECIMAL(12,2)`. */
  type: string;
  /** pg_attribute.attnum: tells a column that was renamed, or made again under its name. */
  attnum?: number;
  /** Whether rows loaded before it came may lack their value: such a column is left out when both sides are compared. */
  partial?: boolean;
}

/** How a column that is copied is kept from being read in the warehouse: as a hash of its text, or not at all. */
export type Mask = 'sha256' | 'null';

/** A column with what its table decides about its values; without, the default policies. */
export interface TreatedColumn extends Column {
  policies?: ValuePolicies;
  mask?: Mask;
}
