import type * as z from 'zod';
import type { Comparisons } from '../../shared/aws/comparisons.ts';
import type { Edits } from '../../shared/aws/edits.ts';
import type { Machines } from '../../shared/aws/machines.ts';
import type { Runs } from '../../shared/aws/runs.ts';
import type { Schedules } from '../../shared/aws/schedules.ts';
import type { SourceSecrets } from '../../shared/aws/source-secrets.ts';
import type { Store } from '../../shared/aws/store.ts';
import type { Ticks } from '../../shared/aws/ticks.ts';
import type { Destination } from '../../shared/model/destination.ts';
import type { Probed } from '../../shared/model/probed.ts';

/** All that operations may touch; each names those that it needs. */
export interface AdminPorts {
  store: Store;
  runs: Runs;
  comparisons: Comparisons;
  edits: Edits;
  schedules: Schedules;
  ticks: Ticks;
  secrets: SourceSecrets;
  machines: Machines;
  /** The deployment's. */
  destinations: Destination[];
  probe(jobId: string): Promise<Probed>;
  now(): Date;
  /** A name that no execution had before. */
  newId(): string;
}

/** One thing that people can do to an installation: whatever stands in front of it, this is all there is to know. */
export interface Operation<Input extends z.ZodType = z.ZodType, Result = unknown> {
  /** What it does, in a sentence for people. */
  summary: string;
  input: Input;
  /** @throws LoaderError, which is answered by its name and message; anything else is a fault of ours or of AWS */
  run(input: z.output<Input>, ports: AdminPorts): Promise<Result>;
}

/** Gives an operation its types. */
export const operation = <Input extends z.ZodType, Result>(one: Operation<Input, Result>): Operation<Input, Result> =>
  one;
