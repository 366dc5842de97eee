import type pg from 'pg';
import * as z from 'zod';
import { environmentOf } from '../shared/aws/environment.ts';
import { connectBySecret } from '../shared/aws/source.ts';
import { Store } from '../shared/aws/store.ts';
import { missingGrants } from '../shared/core/missing-grants.ts';
import { isCopied } from '../shared/model/catalog.ts';
import type { Probed } from '../shared/model/probed.ts';
import { readCatalog } from '../shared/source/catalog.ts';
import { brokenConnection } from '../shared/source/connect.ts';
import { readFence } from '../shared/source/fence.ts';
import { checkSchema, noTables, SET_SCHEMA } from '../shared/source/schema.ts';
import { handle } from './edge.ts';

export const ProbeEvent = z.object({ jobId: z.string() });

export interface ProbePorts {
  store: Pick<Store, 'readJob'>;
  connect(secretArn: string): Promise<pg.Client>;
}

/**
 * Looks whether a job's source can be reached and what its user may see there, and writes nothing.
 * @throws LoaderError SourceUnavailable, SourceRefused, BadConfiguration
 */
export async function probe({ jobId }: z.infer<typeof ProbeEvent>, { store, connect }: ProbePorts): Promise<Probed> {
  const { job } = await store.readJob(jobId, []);
  const client = await connect(job.secretArn);
  try {
    const fence = await readFence(client);
    const catalog = await readCatalog(client, { schema: job.sourceSchema, exclude: job.exclude });
    if (catalog.relations.length === 0) await checkSchema(client, job.sourceSchema, SET_SCHEMA);
    const { rows } = await client.query(
      "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS standby",
    );
    const tables = catalog.tables.filter(isCopied);
    return {
      where: `${client.host}:${client.port}/${catalog.database}`,
      user: catalog.user,
      serverVersion: String(rows[0].version),
      standby: Boolean(rows[0].standby),
      tables: tables.map(({ name, readable, estimatedRows }) => ({ name, readable, estimatedRows })),
      grants: missingGrants(job.sourceSchema, catalog.user, tables),
      checks: [...(fence.blind ? [fence.blind] : []), ...(tables.length === 0 ? [noTables(job.sourceSchema)] : [])],
    };
  } catch (error) {
    throw brokenConnection(error, client);
  } finally {
    await client.end();
  }
}

export const handler = handle(ProbeEvent, (event) =>
  probe(event, { store: new Store(environmentOf('probe').TABLE_NAME), connect: connectBySecret }),
);
