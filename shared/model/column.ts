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
  /** How it was masked when it was agreed: rows loaded since have its values so. */
  mask?: Mask;
}

/** What almost every type has, and so goes without saying. */
const PLAIN = { schema: 'pg_catalog', kind: 'base', typmod: -1 } as const;

/** A column as the table's item has it, without what goes without saying: an item holds 400 KB, and a table 1,600 columns. */
export type StoredColumn = Omit<Column, 'name' | 'sourceType'> & {
  name?: string;
  sourceType: Omit<PgType, keyof typeof PLAIN> & Partial<PgType>;
};

export function storedColumn({ name, sourceType, ...column }: Column): StoredColumn {
  const { schema, kind, typmod, ...type } = sourceType;
  return {
    ...column,
    ...(name === column.source ? {} : { name }),
    sourceType: {
      ...type,
      ...(schema === PLAIN.schema ? {} : { schema }),
      ...(kind === PLAIN.kind ? {} : { kind }),
      ...(typmod === PLAIN.typmod ? {} : { typmod }),
    },
  };
}

export const restoredColumn = ({ name, sourceType, ...column }: StoredColumn): Column => ({
  ...column,
  name: name ?? column.source,
  sourceType: { ...PLAIN, ...sourceType },
});

/** How a column that is copied is kept from being read in the warehouse: as a hash of its text, or not at all. */
export type Mask = 'sha256' | 'null';

/** A column with what its table decides about its values now; without, the default policies. */
export interface TreatedColumn extends Column {
  policies?: ValuePolicies;
}
