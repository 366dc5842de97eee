/** What the source said just before the snapshot was taken, each in its own statement (RULES 1). All times ISO, UTC, µs. */
export interface FenceReading {
  /** The earliest of the source's clock and every open transaction's start, minus the skew margin. */
  fence: string;
  /** The source's clock. */
  now: string;
  /** The source's clock, minus the skew margin. */
  clock: string;
  /** Our own clock then: what tells that the source's was set. */
  ownClock: string;
  /** Prepared transactions of this database: they show when they were prepared, not when they began. */
  prepared: number;
  /**
   * Open transactions whose start lies ahead of the clock, which was set back since: what they write may bear any time from now on. One
   * that is open still when the clock has come to where it began is known no more.
   */
  ahead: number;
  /** Why open transactions can't be seen; null where they can. */
  blind: string | null;
  /** The source's last checkpoint: what a blind fence goes by. */
  checkpoint: Checkpoint;
  /** What is open where the fence is blind: virtual transaction ids, which a transaction has before its first write gives it another. */
  open: string[];
}

/**
 * A moment for the blind fence: every transaction id that was given out by `time` is below `nextXid`, so all have ended
 * once a snapshot's xmin has reached that. A snapshot's own xmax would not do: it lies above the last id that has *ended*,
 * and a transaction that runs may have a higher one.
 */
export interface Checkpoint {
  time: string;
  nextXid: string;
}

/** What earlier runs of a blind fence leave to the next. */
export interface Remembered {
  checkpoints: Checkpoint[];
  /** When the last of them looked; null where there was none. */
  clock: string | null;
  /** Our own clock then. */
  ownClock?: string;
  /** Of each transaction that was open then a moment after which it began: the clock of the run before the first to see it. */
  began: Record<string, string>;
}

export const NOTHING_REMEMBERED: Remembered = { checkpoints: [], clock: null, began: {} };

/** Clocks that follow one another differ by less. */
const SET_BACK_SECONDS = 5;

/** Below every timestamp: a pass from here reads the whole index, and skips what is already loaded. */
export const BEGINNING = '0001-01-01T00:00:00.000000Z';

/** Kept for the blind fence: at one in 5 minutes, 15 hours; older ones only matter while a transaction is that old. */
const KEPT_CHECKPOINTS = 180;

const later = (a: string, b: string): string => (a > b ? a : b);
export const earlier = (a: string, b: string): string => (a < b ? a : b);

/**
 * The fence of a pass that starts now: the time below which no transaction still open can commit a row.
 * A prepared transaction makes it stand still (RULES 3), and so does one that began by the clock before it was set back. Where
 * others' transactions can't be seen it is the time of the newest checkpoint all of whose transactions have ended (RULES 4; `scanBack`
 * is subtracted whenever a pass reads), and no later than any began that is open: one that has only read so far has no id yet that a
 * checkpoint could tell.
 */
export function decideFence(reading: FenceReading, previous: string | null, before: Remembered, xmin: string): string {
  if (reading.prepared > 0 || reading.ahead > 0) return previous ?? BEGINNING;
  if (reading.blind === null) return reading.fence;
  const seen = asTheClockIs(before, reading);
  // One that lies ahead was told by the clock as it was before.
  const ended = [...seen.checkpoints, reading.checkpoint]
    .filter((one) => hasEnded(one, xmin) && one.time <= reading.clock)
    .map(({ time }) => time);
  const newest = ended.reduce(later, BEGINNING);
  return later(Object.values(beganAfter(seen, reading)).reduce(earlier, newest), previous ?? BEGINNING);
}

/**
 * The least that the source's clock can have shown since we looked at it when our own showed `ownClock`, unless it was set back and
 * forth again in between: now's less the time that went by here. Rows written since may be stamped so early.
 */
export const leastSince = (reading: Pick<FenceReading, 'clock' | 'ownClock'>, ownClock: string): string => {
  const least = Date.parse(reading.clock) - (Date.parse(reading.ownClock) - Date.parse(ownClock));
  return new Date(least).toISOString().replace('Z', '000Z');
};

/** By how many seconds the source's clock was set back since an earlier look at it; 0 where it was not, or by less than clocks differ. */
export function setBackSince(reading: FenceReading, before: { taken: string; ownClock?: string }): number {
  if (before.ownClock === undefined) return 0;
  const went = Date.parse(reading.now) - Date.parse(before.taken);
  const seconds = Math.round((Date.parse(reading.ownClock) - Date.parse(before.ownClock) - went) / 1000);
  return seconds < SET_BACK_SECONDS ? 0 : seconds;
}

/** Times of a clock that was set back since bound nothing any more. */
const asTheClockIs = (seen: Remembered, { clock, ownClock }: FenceReading): Remembered =>
  seen.clock !== null &&
  seen.ownClock !== undefined &&
  leastSince({ clock, ownClock }, seen.ownClock) < earlierBy(seen.clock)
    ? NOTHING_REMEMBERED
    : seen;

const earlierBy = (time: string): string =>
  new Date(Date.parse(time) - SET_BACK_SECONDS * 1000).toISOString().replace('Z', '000Z');

const hasEnded = ({ nextXid }: Checkpoint, xmin: string): boolean => BigInt(nextXid) <= BigInt(xmin);

/** Ids of a former start of the server may come again: their moments are too early then, which is safe. */
const beganAfter = ({ clock, began }: Remembered, { open }: FenceReading): Record<string, string> =>
  Object.fromEntries(open.map((id) => [id, began[id] ?? clock ?? BEGINNING]));

/** What is worth remembering after this reading: the newest checkpoint whose transactions have ended, all since, and what is open. */
export function remember(before: Remembered, reading: FenceReading, xmin: string): Remembered {
  const { checkpoint, clock, ownClock } = reading;
  const seen = asTheClockIs(before, reading);
  const checkpoints = checkpointsToKeep(seen.checkpoints, checkpoint, xmin);
  return { checkpoints, clock, ownClock, began: beganAfter(seen, reading) };
}

function checkpointsToKeep(seen: Checkpoint[], checkpoint: Checkpoint, xmin: string): Checkpoint[] {
  const all = seen.at(-1)?.time === checkpoint.time ? seen : [...seen, checkpoint];
  const ended = all.filter((one) => hasEnded(one, xmin)).length;
  const needed = all.slice(Math.max(0, ended - 1));
  if (needed.length <= KEPT_CHECKPOINTS) return needed;
  // Thinning keeps the ends: a lower time is always safe, only less tight.
  return needed.filter((_, i) => i === 0 || i === needed.length - 1 || i % 2 === 1);
}
