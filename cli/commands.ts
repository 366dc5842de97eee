import type { OPERATIONS, OperationName } from '../functions/admin/operations.ts';
import type { Style } from './layout.ts';
import { INSTALLATION } from './show/installation.ts';
import { JOBS } from './show/jobs.ts';
import { RUNS } from './show/runs.ts';
import { SCHEDULES } from './show/schedules.ts';
import { TABLES } from './show/tables.ts';

export type Result<Name extends OperationName> = Awaited<ReturnType<(typeof OPERATIONS)[Name]['run']>>;

/** What the command line adds to an operation: which fields stand without a flag, and how its result is shown. */
export interface Command<Name extends OperationName> {
  /** In their order. */
  args: readonly string[];
  show(result: Result<Name>, style: Style): string;
}

/** The commands of one noun: an operation without one does not compile. */
export type Commands<Noun extends string> = {
  [Name in Extract<OperationName, `${Noun}.${string}`>]: Command<Name>;
};

export const COMMANDS: { [Name in OperationName]: Command<Name> } = {
  ...JOBS,
  ...TABLES,
  ...SCHEDULES,
  ...RUNS,
  ...INSTALLATION,
};
