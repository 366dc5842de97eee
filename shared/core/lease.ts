import type { Lease, TableState } from '../model/state.ts';

/** Seconds until a lease is free for others even if its owner was never seen to die. */
const LEASE_SECONDS = 20 * 60;

export const leaseFor = (owner: string, now: Date, load?: string): Lease => ({
  owner,
  until: Math.floor(now.getTime() / 1000) + LEASE_SECONDS,
  ...(load === undefined ? {} : { load }),
});

/** A lease is renewed when less than this remains of it: no step works for longer. */
const RENEW_BELOW_SECONDS = 15 * 60;

/** The state with its owner's lease renewed; null where enough remains of it, or it is somebody else's. */
export function renewLease(state: TableState, owner: string, now: Date): TableState | null {
  const { lease } = state;
  if (lease?.owner !== owner || lease.until - now.getTime() / 1000 >= RENEW_BELOW_SECONDS) return null;
  return { ...state, lease: leaseFor(owner, now, lease.load) };
}

/** Whether `me` may work on the table now. */
export const isFree = (state: TableState, me: string, now: Date): boolean =>
  !state.lease || state.lease.owner === me || state.lease.until <= now.getTime() / 1000;

/** Takes the table over; the statements of an owner that died are remembered until they are settled (RULES 14). */
export function takeLease(state: TableState, lease: Lease): TableState {
  // While an orphan is there its heir has submitted nothing: it settles before.
  const orphan = state.orphan ?? (state.lease?.owner === lease.owner ? undefined : state.lease?.load);
  return { ...state, lease, ...(orphan === undefined ? {} : { orphan }) };
}
