import type pg from 'pg';
import type { Checkpoint, FenceReading } from '../core/fence.ts';
import type { Snapshot } from '../model/state.ts';
import { isoTime } from '../sql/postgres.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { APPLICATION_NAME } from './connect.ts';
import { readPlace } from './place.ts';

/** Clocks of one server may disagree by a little between processes. */
const SKEW = "interval '5 s'";

/**
 * Reads the fence: the clock, the open transactions, the prepared ones – in this order, each in its own statement,
 * outside any snapshot, and all before the snapshot that reads rows (RULES 1). The other way round a writer that commits
 * in between is in neither.
 */
export async function readFence(client: pg.Client): Promise<FenceReading> {
  const one = async <T>(sql: string, values: unknown[] = []): Promise<T> =>
    (await client.query(sql, values)).rows[0] as T;

  const { clock } = await one<{ clock: string }>(`SELECT ${isoTime('clock_timestamp()')} AS clock`);
  const ownClock = new Date().toISOString();
  // Every backend that may write with an old now(), one that has only read so far included; the server's own readers
  // and our own sessions never do (RULES 2).
  const open = await one<{ fence: string; now: string; clock: string; ahead: number; hidden: number }>(
    `SELECT ${isoTime(`least($1::timestamptz, min(xact_start)) - ${SKEW}`)} AS fence,
            ${isoTime('$1::timestamptz')} AS now, ${isoTime(`$1::timestamptz - ${SKEW}`)} AS clock,
            count(*) FILTER (WHERE xact_start > greatest($1::timestamptz, clock_timestamp()) + ${SKEW})::int AS ahead,
            count(*) FILTER (WHERE state = 'disabled')::int AS hidden
       FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'walsender')
        AND NOT (application_name = '${APPLICATION_NAME}' AND usename = current_user)`,
    [clock],
  );
  const { hidden, ...times } = open;
  const { prepared } = await one<{ prepared: number }>(
    'SELECT count(*)::int AS prepared FROM pg_prepared_xacts WHERE database = current_database()',
  );
  const sight = await one<{ granted: boolean; standby: boolean; subscriber: boolean; user: string; pid: number }>(
    `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS granted, pg_is_in_recovery() AS standby,
            EXISTS (SELECT 1 FROM pg_stat_subscription WHERE pid IS NOT NULL) AS subscriber, current_user::text AS user,
            pg_backend_pid() AS pid`,
  );
  const checkpoint = await one<Checkpoint>(
    `SELECT ${isoTime(`checkpoint_time - ${SKEW}`)} AS time,
            (split_part(next_xid, ':', 1)::numeric * 4294967296 + split_part(next_xid, ':', 2)::numeric)::text AS "nextXid"
       FROM pg_control_checkpoint()`,
  );
  const pooled = (client as Greeted).processID !== sight.pid;
  const blind = whyBlind({ ...sight, hidden, pooled });
  const { ids } = blind === null ? { ids: [] } : await one<{ ids: string[] }>(OPEN_IDS, [pooled]);
  return { ...times, ownClock, prepared, blind, checkpoint, open: ids };
}

/**
 * The virtual ids of open transactions, as locks show them to everybody ("pg_locks": every transaction holds an exclusive lock on
 * its own until it ends). Vacuum never writes a row with an old now(), but may take hours; our own sessions read, unless a pooler
 * lends them to others.
 */
const OPEN_IDS = `SELECT coalesce(array_agg(virtualxid), '{}') AS ids
  FROM pg_locks JOIN pg_stat_activity USING (pid)
 WHERE locktype = 'virtualxid' AND granted AND virtualxid = virtualtransaction
   AND datname = current_database() AND pid <> pg_backend_pid()
   AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum UNION ALL SELECT pid FROM pg_stat_progress_analyze)
   AND ($1 OR NOT (application_name = '${APPLICATION_NAME}' AND usename = current_user))`;

function whyBlind(sight: {
  granted: boolean;
  standby: boolean;
  subscriber: boolean;
  hidden: number;
  pooled: boolean;
  user: string;
}): string | null {
  if (sight.standby)
    return "a standby does not know its primary's transactions: connect to the primary for tighter watermarks";
  if (!sight.granted)
    return `others' transactions can't be seen: run as an administrator: GRANT pg_read_all_stats TO ${quoteIdentifier(sight.user)};`;
  if (sight.hidden > 0)
    return `${sight.hidden} sessions hide their transactions: set track_activities = on for the roles that turned it off`;
  if (sight.subscriber)
    return 'a logical subscriber replays old values: connect to the publisher for tighter watermarks';
  if (sight.pooled)
    return "the connection goes through a pooler, under whose sessions' names others may write: connect to the server itself for tighter watermarks";
  return null;
}

/**
 * A client knows the process that greeted it. Where another one answers, a pooler lends sessions by the transaction: one
 * that bears our name, which the fence leaves out, may be lent to a writer next.
 */
interface Greeted {
  processID?: number | null;
}

/** The snapshot of the REPEATABLE READ transaction that is open on the connection. */
export async function readSnapshot(client: pg.Client): Promise<Snapshot> {
  const { rows } = await client.query<Snapshot>(
    `SELECT pg_snapshot_xmin(s)::text AS xmin, pg_snapshot_xmax(s)::text AS xmax,
            ARRAY(SELECT x::text FROM pg_snapshot_xip(s) x) AS xip,
            system_identifier::text AS system, timeline_id AS timeline, pg_is_in_recovery() AS standby
       FROM pg_current_snapshot() s, pg_control_system(), pg_control_checkpoint()`,
  );
  return { ...(rows[0] as Snapshot), ...(await readPlace(client)) };
}
