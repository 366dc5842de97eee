import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { OperationName } from '../functions/admin/operations.ts';
import type { Answer } from '../shared/model/answer.ts';
import type { Ask } from './connect.ts';

/** What goes on after an operation has answered: asked for again until it has ended. */
interface Following {
  /** The option that turns it on, or off. */
  flag: string;
  description: string;
  /** Whether it is done without being asked for. */
  always?: boolean;
  operation: OperationName;
  /** Whether it ended well although it has not failed. */
  isWhole?(result: unknown): boolean;
  /** The next question's input, from what was answered and asked before. */
  input(result: unknown, asked: Record<string, unknown>): Record<string, unknown>;
}

const Setup = z.object({ setupId: z.string() });
const SetUp = z.object({ output: z.object({ refused: z.array(z.string()) }).nullable() });
const Run = z.object({ runId: z.string() });
const Verify = z.object({ verifyId: z.string() });

export const FOLLOWING: Partial<Record<OperationName, Following>> = {
  'jobs.setup': {
    flag: '--no-wait',
    description: 'do not wait until setup has ended',
    always: true,
    operation: 'jobs.setup-status',
    // A script wants to know of a table that is not copied.
    isWhole: (result) => (SetUp.parse(result).output?.refused ?? []).length === 0,
    input: (result) => Setup.parse(result),
  },
  'jobs.verify': {
    flag: '--no-wait',
    description: 'do not wait for what it finds: jobs verify-status shows it',
    always: true,
    operation: 'jobs.verify-status',
    input: (result, { jobId }) => ({ jobId, ...Verify.parse(result) }),
  },
  'jobs.run': {
    flag: '--wait',
    description: 'wait until the run has ended, and show it',
    operation: 'runs.show',
    input: (result, { jobId }) => ({ jobId, ...Run.parse(result) }),
  },
  'runs.show': {
    flag: '--watch',
    description: 'show it again and again until it has ended',
    operation: 'runs.show',
    input: (result, { jobId }) => ({ jobId, ...Run.parse(result) }),
  },
};

const Status = z.object({ status: z.string() });
const LOOK_EVERY_MS = 500;

export const statusOf = (answer: Answer): string | null =>
  answer.ok ? (Status.safeParse(answer.result).data?.status ?? null) : null;

/** Asks until it is no longer running. @param tell hears of every answer in between */
export async function untilEnded(
  ask: Ask,
  operation: OperationName,
  input: Record<string, unknown>,
  tell: (answer: Answer) => void,
): Promise<Answer> {
  for (;;) {
    const answer = await ask(operation, input);
    if (statusOf(answer) !== 'running') return answer;
    tell(answer);
    await sleep(LOOK_EVERY_MS);
  }
}
