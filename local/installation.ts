import { join } from 'node:path';
import type { Destination } from '../shared/model/destination.ts';
import { type Cloud, type CloudOptions, startCloud } from './cloud.ts';
import { ACCOUNT, REGION } from './identity.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { synthesize } from './synth.ts';

/** The warehouse of the local cloud, as a deployment's settings would name it. */
export const DESTINATION: Destination = {
  name: 'warehouse',
  arn: `arn:aws:redshift-serverless:${REGION}:${ACCOUNT}:workgroup/00000000-0000-4000-8000-000000000000`,
  workgroupName: 'local',
  database: 'warehouse',
  schema: 'public',
};

export interface Installation {
  cloud: Cloud;
  /** postgres:// URL of the warehouse, for any client. */
  warehouse: string;
  stop(): Promise<void>;
}

export interface InstallationOptions
  extends Pick<CloudOptions, 'onLog' | 'fault' | 'states' | 'scheduler' | 'port' | 'retryAfterMs'> {
  /** Folder for everything that is kept between starts. */
  state: string;
  /** Settings of the deployment besides the destinations. */
  settings?: object;
  /** Further destinations: each a schema of its name in the same database. */
  schemas?: string[];
}

/** What the deployment's outputs ask an administrator to run in the warehouse. */
const grantsOn =
  (destinations: Destination[]) =>
  (user: string): string[] =>
    destinations.flatMap(({ schema, database }) => [
      `CREATE SCHEMA IF NOT EXISTS "${schema}"`,
      `GRANT USAGE, CREATE ON SCHEMA "${schema}" TO "${user}"`,
      `GRANT TEMPORARY ON DATABASE "${database}" TO "${user}"`,
    ]);

/** Synthesizes the app and runs it, with a warehouse. Whatever fails, nothing is left running. */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { state, settings = {}, schemas = [], ...rest } = options;
  const destinations = [DESTINATION, ...schemas.map((schema) => ({ ...DESTINATION, name: schema, schema }))];
  let postgres: Postgres | undefined;
  try {
    const assembly = synthesize({ ...settings, destinations });
    assembly.catch(() => undefined);
    postgres = await startPostgres({ dir: join(state, 'warehouse'), name: 'warehouse', settings: WAREHOUSE_SETTINGS });
    const warehouse = await postgres.createDatabase(DESTINATION.database);
    const cloud = await startCloud({
      ...rest,
      assembly: await assembly,
      state: join(state, 'aws'),
      warehouse: {
        url: warehouse,
        destinations: [{ workgroupName: 'local', database: DESTINATION.database, arn: DESTINATION.arn }],
        grants: grantsOn(destinations),
      },
    });
    const stop = async () => {
      await cloud.stop();
      await postgres?.stop();
    };
    return { cloud, warehouse, stop };
  } catch (error) {
    await postgres?.stop();
    throw error;
  }
}

/** Loads write much at once; a checkpoint in the middle of each would be the machine's business, not ours. */
const WAREHOUSE_SETTINGS = { max_wal_size: '4GB', shared_buffers: '256MB', work_mem: '64MB' };
