import * as z from 'zod';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { CONNECTION, checkConnectionString, checkDestination, DESTINATION, parseJob, SETTINGS } from './settings.ts';

export const createJob = operation({
  summary: 'Creates a job: a source database and one of the destinations',
  input: z.strictObject({ jobId, destination: DESTINATION, ...CONNECTION, ...SETTINGS }),
  async run({ connectionString, secretArn, ...rest }, { edits, secrets, destinations }) {
    if ((connectionString === undefined) === (secretArn === undefined))
      throw new InvalidInput([
        { field: 'connectionString', message: 'give either a connection string or the ARN of a secret of yours' },
      ]);
    checkDestination(rest.destination, destinations);
    const taken = errors.alreadyExists(`there is a job ${rest.jobId} already: edit it, or choose another id`);
    // All that can be wrong is found before the string is put away.
    parseJob({ ...rest, secretArn: 'arn:' });
    if (await edits.read(rest.jobId, 'JOB')) throw taken;
    if (secretArn !== undefined) await secrets.check(secretArn);
    if (connectionString !== undefined) checkConnectionString(connectionString);
    const arn = secretArn ?? (await secrets.create(rest.jobId, connectionString ?? ''));
    const ownsSecret = secretArn === undefined;
    const job = parseJob({ ...rest, secretArn: arn, ownsSecret, revision: 1 });
    if (await edits.createJob(job)) return { job: job.jobId, version: job.revision };
    if (ownsSecret) await secrets.remove(arn);
    throw taken;
  },
});
