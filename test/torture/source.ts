import type pg from 'pg';
import type { Snapshot } from '../../shared/model/state.ts';
import { connectSource } from '../../shared/source/connect.ts';
import type { Mutation } from './mutations.ts';
import { SECOND_MS } from './shop.ts';

export interface Between {
  /** Awaited before every statement of the loader's: the moments at which others may write. */
  between(critical: boolean): Promise<void>;
  mutation: Mutation;
  /** The snapshot of each table's watermark, as the loader knows it. */
  snapshots: Map<string, Snapshot>;
}

/** Before these a commit is most likely to fall through: they read the fence, and take the snapshot. */
const CRITICAL = /FROM pg_stat_activity|FROM pg_prepared_xacts|^BEGIN/;

/** Margins are seconds, transactions here milliseconds: unshortened they would hide what no margin may be needed for. */
const shorten = (sql: string): string =>
  sql.replaceAll(/interval '(\d+) s'/g, (_, seconds) => `interval '${Number(seconds) * SECOND_MS} ms'`);

/** The loader's own session, with writers at work between its statements, and a mutation in front of the source. */
export async function openSource(url: string, { between, mutation, snapshots }: Between): Promise<pg.Client> {
  const client = await connectSource(url);
  const send = client.query.bind(client) as (sql: unknown, values?: unknown[]) => Promise<pg.QueryResult>;
  const text = (sql: string): string => {
    const shortened = shorten(sql);
    return mutation.rewrite ? mutation.rewrite(shortened, snapshots) : shortened;
  };
  const query = async (sql: string, values?: unknown[]): Promise<pg.QueryResult> => {
    await between(CRITICAL.test(sql));
    return (await mutation.answer?.(sql, send)) ?? send(text(sql), values);
  };
  client.query = ((sql: string | { text: string } | { cursor: { text: string } }, values?: unknown[]) => {
    if (typeof sql === 'string') return query(sql, values);
    // COPY's rows, or keys as they are printed, or rows that are streamed. They begin at once: nobody can be let in before.
    const asked = 'cursor' in sql ? sql.cursor : sql;
    asked.text = text(asked.text);
    return send(sql);
  }) as typeof client.query;
  return client;
}
