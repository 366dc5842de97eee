import type pg from 'pg';
import type { Snapshot } from '../../shared/model/state.ts';
import { BEGIN } from '../../shared/source/snapshot.ts';
import { isoTime } from '../../shared/sql/postgres.ts';

/** Asks the source. */
type Ask = (sql: string) => Promise<pg.QueryResult>;

/**
 * A way to do it that loses rows, as others do it: put in between the loader and the source, since the loader itself knows
 * no such way.
 */
export interface Mutation {
  /** The text that goes to the source instead. */
  rewrite?(sql: string, snapshots: Map<string, Snapshot>): string;
  /** Answers instead of the source. */
  answer?(sql: string, ask: Ask): Promise<pg.QueryResult> | undefined;
  /** What else hides the mistake: a schedule that has it otherwise would show nothing. */
  shownBy?: Partial<Circumstances>;
}

/** What a schedule is run under. */
export interface Circumstances {
  /** Whether the loader can't see others' transactions. */
  blind: boolean;
  scanBack: 'short' | 'long';
}

/** Rows that are read again anyway hide a fence that is too high, and so does a fence that is read otherwise. */
const BARE = { blind: false, scanBack: 'short' } as const;

const NOTHING = { rows: [], rowCount: 0 } as unknown as pg.QueryResult;

export const MUTATIONS = {
  /** The fence is the highest updated_at that can be seen. */
  'MAX(updated_at) as the fence': {
    shownBy: BARE,
    answer: (sql, ask) =>
      /FROM pg_stat_activity/.test(sql)
        ? ask(
            `SELECT ${isoTime('max(updated_at)')} AS fence, ${isoTime('now()')} AS clock, 0 AS hidden ` +
              'FROM (SELECT updated_at FROM public.orders UNION ALL SELECT updated_at FROM public.notes UNION ALL SELECT updated_at FROM public.carts) t',
          )
        : undefined,
  },
  /** The rows' snapshot is older than the fence: a writer that commits in between is in neither. */
  'snapshot before fence': {
    shownBy: BARE,
    // The loader's own BEGIN then finds a transaction of its kind, about which Postgres only warns.
    answer: (sql, ask) =>
      /clock_timestamp\(\).* AS clock$/.test(sql)
        ? ask(`${BEGIN}; SELECT txid_current_snapshot()`).then(() => ask(sql))
        : undefined,
  },
  /** What the earlier snapshot shows as ended counts as loaded, as its list of running transactions has it. */
  'xip-visibility as already loaded': {
    rewrite: (sql, snapshots) =>
      sql.replaceAll(
        /(FROM "public"\."(\w+)" t .*?)mod\(\d+ \+ \d+ - t\.xmin::text::bigint, \d+\) <= \d+/g,
        (clause, from, table) => {
          const before = snapshots.get(table);
          if (!before) return clause;
          return `${from}NOT pg_visible_in_snapshot(t.xmin::text::xid8, '${before.xmin}:${before.xmax}:${before.xip}')`;
        },
      ),
  },
  /** Ids that were skipped are taken for never used. */
  'no gaps below the highest id': {
    answer: (sql) => (/AS low, .* AS high FROM \(VALUES/.test(sql) ? Promise.resolve(NOTHING) : undefined),
  },
  /** A prepared transaction shows when it was prepared, not when it began. */
  'prepared transactions left out': {
    shownBy: BARE,
    answer: (sql) =>
      /FROM pg_prepared_xacts/.test(sql)
        ? Promise.resolve({ rows: [{ prepared: 0 }], rowCount: 1 } as unknown as pg.QueryResult)
        : undefined,
  },
  /** Rows without an updated key are met by no walk along it. */
  'rows without updated_at left out': {
    rewrite: (sql) => sql.replaceAll('"updated_at" IS NULL', 'false'),
  },
  /** Nothing below the fence is read again. */
  'no scanBack': {
    shownBy: { scanBack: 'long' },
    rewrite: (sql) => sql.replaceAll(/::timestamptz - interval '\d+ ms'/g, "::timestamptz - interval '0 s'"),
  },
} satisfies Record<string, Mutation>;
