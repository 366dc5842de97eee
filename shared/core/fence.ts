/** What the source said just before the snapshot was taken, each in its own statement (RULES 1). All times ISO, UTC, µs. */
export interface FenceReading {
  /** The earliest of the source's clock and every open transaction's start, minus the skew margin. */
  fence: string;
  /** The source's clock, minus the skew margin. */
  clock: string;
  /** Prepared transactions of this database: they show when they were prepared, not when they began. */
  prepared: number;
  /** Why open transactions can't be seen; null where they can. */
  blind: string | null;
}

/** An earlier run, as the blind fence needs it: no transaction that was open at `time` is still open once xmin reaches xmax. */
export interface SeenRun {
  time: string;
  xmax: string;
}

/** Below every timestamp: a pass from here reads the whole index, and skips what is already loaded. */
export const BEGINNING = '0001-01-01T00:00:00.000000Z';

/** Runs kept for the blind fence: at one a minute, three hours; older ones only matter while a transaction is that old. */
const KEPT_RUNS = 180;

const later = (a: string, b: string): string => (a > b ? a : b);

/**
 * The fence of a pass that starts now: the time below which no transaction still open can commit a row.
 * A prepared transaction makes it stand still (RULES 3); where others' transactions can't be seen it is the time of the
 * newest earlier run all of whose transactions have ended (RULES 4; `scanBack` is subtracted whenever a pass reads).
 */
export function decideFence(reading: FenceReading, previous: string | null, seen: SeenRun[], xmin: string): string {
  if (reading.prepared > 0) return previous ?? BEGINNING;
  if (reading.blind === null) return reading.fence;
  const ended = seen.filter((run) => BigInt(run.xmax) <= BigInt(xmin)).map((run) => run.time);
  return ended.reduce(later, previous ?? BEGINNING);
}

/** The runs worth remembering after this one: the newest whose transactions have ended, and all since. */
export function rememberRun(seen: SeenRun[], run: SeenRun, xmin: string): SeenRun[] {
  const all = [...seen, run];
  const ended = all.filter((one) => BigInt(one.xmax) <= BigInt(xmin)).length;
  const needed = all.slice(Math.max(0, ended - 1));
  if (needed.length <= KEPT_RUNS) return needed;
  // Thinning keeps the ends: a lower time is always safe, only less tight.
  return needed.filter((_, i) => i === 0 || i === needed.length - 1 || i % 2 === 1);
}
