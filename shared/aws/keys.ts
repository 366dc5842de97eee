/** How the one DynamoDB table is laid out: what lies in which partition, by which sort key. */

/** A job's own partition: JOB, TABLE#<name>, STATE#<name>, CHECKPOINTS. */
export const jobKey = (jobId: string): string => `JOB#${jobId}`;

/** A job's history, which is never read together with the job. */
export const runsKey = (jobId: string): string => `RUNS#${jobId}`;

/** The partition that lists the jobs, by their ids: the table is never scanned. */
export const DIRECTORY = 'JOBS';

export const TABLE = 'TABLE#';
export const STATE = 'STATE#';

export const tableKey = (sourceName: string): string => `${TABLE}${sourceName}`;
