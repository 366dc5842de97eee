import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { errors } from '../model/errors.ts';
import type { Snapshot } from '../model/state.ts';

/** A replica that lags is waited for this long; one that was not chosen well lags by more. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 200;

/** On a primary the timeline that it writes: until the first checkpoint after a failover the control file tells the one before. */
const PLACE = `
  SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text AS lsn,
         CASE WHEN NOT pg_is_in_recovery()
              THEN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END AS timeline`;

const CAUGHT_UP = `
  SELECT NOT pg_is_in_recovery() OR bool_and(pg_last_wal_replay_lsn() >= lsn::pg_lsn) AS yes
    FROM unnest($1::text[], $2::text[]) AS seen (lsn, system), pg_control_system()
   WHERE system = system_identifier::text`;

/** Whether the server has no such functions, or keeps no log of its own that they could tell of, as Aurora. */
const isUntold = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && ['0A000', '42883', '42501'].includes(error.code ?? '');

/**
 * Where in the write-ahead log the server is by now, for the snapshot of the transaction that is open; nothing where it does not tell.
 * @returns the timeline of a primary only: a standby follows none that forked from what it has
 */
export async function readPlace(client: pg.Client): Promise<Partial<Pick<Snapshot, 'lsn' | 'timeline'>>> {
  try {
    const results: unknown = await client.query(`SAVEPOINT place; ${PLACE}; RELEASE SAVEPOINT place`);
    const [, found] = results as pg.QueryResult<{ lsn: string | null; timeline: number | null }>[];
    const { lsn = null, timeline = null } = found?.rows[0] ?? {};
    return { ...(lsn === null ? {} : { lsn }), ...(timeline === null ? {} : { timeline }) };
  } catch (error) {
    if (!isUntold(error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT place; RELEASE SAVEPOINT place');
    return {};
  }
}

/**
 * Waits, before a transaction begins, until the server has all that earlier snapshots saw. An address may stand for several replicas,
 * and the one that answers now lag behind the one that answered before: what only that one saw would be taken for read, or for deleted.
 * @throws LoaderError SourceUnavailable: another call may meet another server
 */
export async function catchUp(client: pg.Client, seen: Snapshot[]): Promise<void> {
  const told = seen.filter(({ lsn }) => lsn !== undefined);
  if (told.length === 0) return;
  const places = [told.map(({ lsn }) => lsn), told.map(({ system }) => system)];
  for (let waited = 0; ; waited += PAUSE_MS) {
    const caughtUp = await client.query<{ yes: boolean | null }>(CAUGHT_UP, places).catch((error) => {
      if (isUntold(error)) return null;
      throw error;
    });
    // null where all of them are of another system.
    if (caughtUp === null || caughtUp.rows[0]?.yes !== false) return;
    if (waited >= PATIENCE_MS) throw lagging(client);
    await sleep(PAUSE_MS);
  }
}

/**
 * The same where servers do not tell their place: by the transactions that the snapshot shows.
 * @throws LoaderError SourceUnavailable
 */
export function refuseLagging(client: pg.Client, now: Snapshot, seen: Snapshot[]): void {
  const isBefore = (a: string, b: string) => BigInt(a) < BigInt(b);
  const lags = seen.some(
    ({ system, lsn, xmin, xmax }) =>
      system === now.system &&
      (lsn === undefined || now.lsn === undefined) &&
      (isBefore(now.xmax, xmax) || isBefore(now.xmin, xmin)),
  );
  if (now.standby && lags) throw lagging(client);
}

const lagging = ({ host, port }: pg.Client): Error =>
  errors.sourceUnavailable(
    `${host}:${port}: the replica that answered lags behind what was read before – connect to the primary, or to one replica instead of ` +
      'an address that stands for several',
  );
