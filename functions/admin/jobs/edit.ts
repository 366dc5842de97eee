import * as z from 'zod';
import { InvalidInput } from '../../../shared/model/errors.ts';
import { checkChange, checkVersion, edited, ifVersion, jobId, overtaken } from '../fields.ts';
import { operation } from '../operation.ts';
import { readJobItem } from './read.ts';
import {
  CONNECTION,
  checkConnectionString,
  checkDestination,
  checkSamePlace,
  DESTINATION,
  parseJob,
  SETTINGS,
} from './settings.ts';

export const editJob = operation({
  summary: "Changes a job's settings, or gives it another connection",
  input: z.strictObject({
    jobId,
    ifVersion,
    ...edited({ destination: DESTINATION, ...SETTINGS }),
    verifyEvery: SETTINGS.verifyEvery
      .unwrap()
      .nullable()
      .optional()
      .describe('seconds between two verifications; null ends them'),
    ...CONNECTION,
  }),
  async run(
    { jobId: id, ifVersion: seen, connectionString, secretArn, ...change },
    { edits, store, secrets, destinations },
  ) {
    if (connectionString !== undefined && secretArn !== undefined)
      throw new InvalidInput([{ field: 'secretArn', message: 'give it or a connection string, not both' }]);
    checkChange({ ...change, connectionString, secretArn });
    const item = await readJobItem(edits, id);
    checkVersion(`job ${id}`, item.revision, seen);
    if (change.destination !== undefined) {
      checkDestination(change.destination, destinations);
      if (await store.wasSetUp(id)) checkSamePlace(String(item.raw.destination), change.destination, destinations);
    }
    const given = Object.fromEntries(
      Object.entries(change).flatMap(([field, value]) => (value === undefined ? [] : [[field, value ?? undefined]])),
    );
    parseJob({ ...item.raw, ...given });
    if (secretArn !== undefined) await secrets.check(secretArn);
    if (connectionString !== undefined) checkConnectionString(connectionString);

    // A new secret each time: who reads the job between two writes finds one that fits.
    const made = connectionString === undefined ? undefined : await secrets.create(id, connectionString);
    const arn = made ?? secretArn;
    const connection = arn === undefined ? {} : { secretArn: arn, ownsSecret: made !== undefined };
    if (!(await edits.edit(id, 'JOB', { ...given, ...connection }, item.revision))) {
      if (made !== undefined) await secrets.remove(made);
      throw overtaken(`job ${id}`);
    }
    const { secretArn: before, ownsSecret } = item.raw;
    if (arn !== undefined && arn !== before && ownsSecret === true) await secrets.remove(String(before));
    return { job: id, version: item.revision + 1 };
  },
});
