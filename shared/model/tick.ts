import type { TickOutcome } from './schedule.ts';

/** What became of a tick of a schedule, as its history keeps it. All times are ISO, UTC. */
export type TickRecord = {
  scheduleId: string;
  scheduledTime: string;
  /** When that was decided. */
  at: string;
  /** Epoch seconds: DynamoDB's time to live. */
  expiresAt: number;
} & (
  | { status: 'skipped'; code: SkipCode; reason: string }
  /** `due` until its run has ended. */
  | { status: 'due'; runId: string; onlyFailed: boolean }
  | { status: 'ran'; runId: string; outcome: TickOutcome }
);

/** Why the gate skips a tick. */
export type GateCode = 'disabled' | 'outside-at' | 'claimed' | 'too-soon' | 'retry-running' | 'retry-later';
/** Why a tick is skipped. */
export type SkipCode = GateCode | 'paused' | 'no-job' | 'job-disabled' | 'no-schedule' | 'unreadable';

const RETENTION_SECONDS = 7 * 86_400;

/** A month of a tick every minute would be as large as all else together. */
export const tickExpiry = (now: Date): number => Math.floor(now.getTime() / 1000) + RETENTION_SECONDS;
