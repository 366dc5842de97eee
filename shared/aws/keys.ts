/** How the one DynamoDB table is laid out: what lies in which partition, by which sort key. */

/** A job's own partition: JOB, TABLE#<name>, STATE#<name>, CHECKPOINTS, SCHEDULE#<id>, GATE#<id>. */
export const jobKey = (jobId: string): string => `JOB#${jobId}`;

/** A job's history: RUN#<startedAt>#<id>, TICK#<scheduledTime>#<id>. It is never read together with the job. */
export const runsKey = (jobId: string): string => `RUNS#${jobId}`;

/** The partition that lists the jobs, by their ids: the table is never scanned. */
export const DIRECTORY = 'JOBS';

export const TABLE = 'TABLE#';
export const STATE = 'STATE#';

export const SCHEDULE = 'SCHEDULE#';
export const GATE = 'GATE#';
export const RUN = 'RUN#';
export const TICK = 'TICK#';

/** The item that exists while no schedule of the installation may run. */
export const PAUSE = { pk: 'INSTALLATION', sk: 'PAUSE' };

export const tableKey = (sourceName: string): string => `${TABLE}${sourceName}`;
