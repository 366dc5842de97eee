import { namedBy } from '../core/relations.ts';
import type { PgType, SourceCatalog, SourceTable } from '../model/catalog.ts';
import { COLUMNS, INDEXES, RELATIONS, SEQUENCES, SERVER } from './catalog-queries.ts';

/** What readCatalog needs of a pg client. */
export interface Queryable {
  query<Row>(sql: string, values?: unknown[]): Promise<{ rows: Row[] }>;
}

export interface CatalogOptions {
  schema: string;
  /** Names or patterns in which * stands for any text: `schema_migrations`, `tmp_*`. */
  exclude: string[];
  /** If given, no other tables than these; names as they are at the source. */
  only?: string[];
}

type RelationRow = Omit<
  SourceTable,
  'schema' | 'columns' | 'primaryKey' | 'uniqueKeys' | 'indexedColumns' | 'sequences'
> & { hasColumns: boolean };
type ColumnRow = PgType & { table: number; column: string; attnum: number; nullable: boolean; preset: boolean };
type IndexRow = { table: number; columns: string[]; role: 'primary' | 'unique' | 'other'; leads: string | null };
type SequenceRow = { table: number; column: string; cache: number; increment: number };

const byTable = <Row extends { table: number }>(rows: Row[]): ((oid: number) => Row[]) => {
  const groups = Map.groupBy(rows, ({ table }) => table);
  return (oid) => groups.get(oid) ?? [];
};

/**
 * Reads a schema's tables in five queries, whatever their number. Partitions are left out, as their parent stands for them;
 * so are views and what extensions own. Any user may do it: catalogs are readable without privileges on the tables.
 * The five see one state of the catalog if the caller has begun a REPEATABLE READ transaction.
 * @throws what the client throws; a schema that doesn't exist has no tables
 */
export const readCatalog = async (client: Queryable, options: CatalogOptions): Promise<SourceCatalog> => {
  const { rows: servers } = await client.query<Omit<SourceCatalog, 'tables' | 'relations'>>(SERVER);
  const [server] = servers;
  if (server === undefined)
    throw new Error('the source answered nothing to SELECT current_database(): is it Postgres?');

  const excluded = namedBy(options.exclude);
  const wanted = ({ name }: RelationRow): boolean => (options.only?.includes(name) ?? true) && !excluded(name);
  const all = (await client.query<RelationRow>(RELATIONS, [options.schema])).rows;
  const relations = all.filter(wanted);

  const oids = [relations.map(({ oid }) => oid)];
  const columns = byTable((await client.query<ColumnRow>(COLUMNS, oids)).rows);
  const indexes = byTable((await client.query<IndexRow>(INDEXES, oids)).rows);
  const sequences = byTable((await client.query<SequenceRow>(SEQUENCES, oids)).rows);

  const tables = relations.map(({ hasColumns: _, ...relation }): SourceTable => {
    const own = indexes(relation.oid);
    return {
      ...relation,
      schema: options.schema,
      columns: columns(relation.oid).map(({ table: _, column, attnum, nullable, preset, extension, ...type }) => ({
        name: column,
        type: extension ? { ...type, extension } : type,
        nullable,
        attnum,
        preset,
      })),
      primaryKey: own.find(({ role }) => role === 'primary')?.columns ?? [],
      uniqueKeys: own.filter(({ role }) => role === 'unique').map((index) => index.columns),
      indexedColumns: [...new Set(own.flatMap(({ leads }) => leads ?? []))],
      sequences: sequences(relation.oid).map(({ table: _, ...sequence }) => sequence),
    };
  });
  return {
    ...server,
    tables,
    relations: all.map(({ name, kind, oid, hasColumns }) => ({ name, kind, oid, hasColumns })),
  };
};
