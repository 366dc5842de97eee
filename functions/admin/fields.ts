import * as z from 'zod';
import { errors, InvalidInput } from '../../shared/model/errors.ts';
import { Job } from '../../shared/model/job.ts';

/** The job that an operation is about. */
export const jobId = Job.shape.jobId.describe("the job's id");

/** The version that the editor saw; without it the newest is changed, whoever wrote it. */
export const ifVersion = z
  .int()
  .nonnegative()
  .optional()
  .describe('change it only if it still is the version that you saw');

/** The fields as an edit has them: each may be left out, and then stays as it is, whatever its default. */
export type Edited<Shape extends z.ZodRawShape> = {
  [Field in keyof Shape]: z.ZodOptional<Shape[Field] extends z.ZodDefault<infer Inner> ? Inner : Shape[Field]>;
};

export function edited<Shape extends z.ZodRawShape>(shape: Shape): Edited<Shape> {
  const fields = Object.entries(shape).map(([name, field]) => {
    // Without its default a field has lost what describes it.
    const { description = '' } = field as z.ZodType;
    return [name, z.optional(field instanceof z.ZodDefault ? field.unwrap() : field).describe(description)];
  });
  return Object.fromEntries(fields) as Edited<Shape>;
}

/** @throws LoaderError VersionConflict: somebody else has changed it since */
export function checkVersion(what: string, found: number, wanted: number | undefined): void {
  if (wanted !== undefined && wanted !== found)
    throw errors.versionConflict(
      `${what} is at version ${found}, not ${wanted}: look at it again, then repeat your edit`,
    );
}

/** For whoever lost a race between reading and writing. */
export const overtaken = (what: string): Error =>
  errors.versionConflict(`${what} was changed by somebody else just now: look at it again, then repeat your edit`);

/** @throws InvalidInput where an edit has nothing to change */
export function checkChange(change: Record<string, unknown>): void {
  if (Object.values(change).every((value) => value === undefined))
    throw new InvalidInput([{ field: '', message: 'nothing to change: give at least one field' }]);
}
