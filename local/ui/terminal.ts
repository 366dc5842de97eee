import type { Writable } from 'node:stream';

/** What can be done with an output: decided once, where the program starts. */
export interface Terminal {
  color: boolean;
  /** Characters in a line. */
  width: number;
  /** Whether lines can be drawn over: a person is watching. */
  live: boolean;
}

const PLAIN_WIDTH = 100;
const NARROWEST = 60;
const WIDEST = 140;

/**
 * Reads an output's abilities. NO_COLOR (https://no-color.org) and FORCE_COLOR are respected, TERM=dumb and CI never get
 * lines that are drawn over.
 */
export function terminalOf(stream: Writable, env: Record<string, string | undefined>): Terminal {
  const { isTTY = false, columns } = stream as { isTTY?: boolean; columns?: number };
  // A line that wraps can't be drawn over.
  const live = isTTY && (columns ?? 80) >= NARROWEST && env.TERM !== 'dumb' && !env.CI;
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0';
  return {
    // Per no-color.org an empty NO_COLOR counts as absent.
    color: !env.NO_COLOR && (forced || (isTTY && env.TERM !== 'dumb')),
    width: Math.min(Math.max((isTTY && columns) || PLAIN_WIDTH, NARROWEST), WIDEST),
    live,
  };
}
