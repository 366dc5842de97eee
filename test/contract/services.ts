import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { startCloud } from '../../local/cloud.ts';
import { REGION } from '../../local/identity.ts';
import { DESTINATION, startInstallation } from '../../local/installation.ts';
import { synthesize } from '../../local/synth.ts';
import { MachineArns } from '../../shared/aws/machines.ts';
import { SchedulerSettings } from '../../shared/aws/scheduler.ts';
import { Destination } from '../../shared/model/destination.ts';

/** Set to 1, the same promises are put to the account that the variables below name (README.md beside this file). */
export const ON_AWS = process.env.LOADER_TEST_AWS === '1';

const json = z.string().transform((text) => JSON.parse(text));
const Variables = z.object({
  AWS_REGION: z.string(),
  LOADER_TEST_TABLE: z.string(),
  LOADER_TEST_BUCKET: z.string(),
  LOADER_TEST_COPY_ROLE: z.string().startsWith('arn:'),
  LOADER_TEST_DESTINATION: json.pipe(Destination),
  LOADER_TEST_SCHEDULER: json.pipe(SchedulerSettings),
  LOADER_TEST_MACHINES: json.pipe(MachineArns),
  LOADER_TEST_PROBE: z.string().default('redshift-loader-probe'),
});

export interface Services {
  /** Begins the names of everything that one test file makes, which it removes again. */
  prefix: string;
  table: string;
  bucket: string;
  copyRole: string;
  destination: Destination;
  /** What sync-schedules and admin are told of Scheduler and of the machines. */
  scheduling: SchedulerSettings;
  machines: MachineArns;
  /** The function that looks at a job's source. */
  probe: string;
  dynamodb: DynamoDBClient;
  s3: S3Client;
  redshift: RedshiftDataClient;
  secrets: SecretsManagerClient;
  scheduler: SchedulerClient;
  states: SFNClient;
  lambda: LambdaClient;
}

/** So many that a test which submits a hundred statements in a row keeps to the Data API's 20 a second without failing. */
const ATTEMPTS = 12;

type Named = 'table' | 'bucket' | 'copyRole' | 'destination' | 'scheduling' | 'machines' | 'probe';

interface Place extends Pick<Services, Named> {
  /** For the SDK's clients; on AWS they find their own. */
  client: object;
  stop(): Promise<void>;
}

/**
 * The services behind the adapters: the local cloud's, started for one test file, or an account's.
 * @param setUp what follows once they are there
 * @param cleanUp removes what the file made, before they end
 * @param warehouse whether the file asks Redshift: the local one takes seconds to start
 */
export function services(
  setUp: () => unknown = () => undefined,
  cleanUp: () => unknown = () => undefined,
  warehouse = false,
): Services {
  const found = { prefix: `contract-${Date.now().toString(36)}${process.pid.toString(36)}` } as Services;
  let place: Place | undefined;
  before(async () => {
    place = ON_AWS ? onAws() : await onThisMachine(warehouse);
    const { client, stop: _, ...rest } = place;
    Object.assign(found, rest, {
      dynamodb: new DynamoDBClient(client),
      s3: new S3Client({ ...client, requestChecksumCalculation: 'WHEN_REQUIRED' }),
      redshift: new RedshiftDataClient({ ...client, maxAttempts: ATTEMPTS }),
      secrets: new SecretsManagerClient(client),
      scheduler: new SchedulerClient(client),
      states: new SFNClient(client),
      lambda: new LambdaClient(client),
    });
    await setUp();
  });
  after(async () => {
    try {
      if (place) await cleanUp();
    } finally {
      await place?.stop();
    }
  });
  return found;
}

function onAws(): Place {
  const parsed = Variables.safeParse(process.env);
  if (!parsed.success) throw new Error(`test/contract/README.md says what to set:\n${z.prettifyError(parsed.error)}`);
  const given = parsed.data;
  return {
    table: given.LOADER_TEST_TABLE,
    bucket: given.LOADER_TEST_BUCKET,
    copyRole: given.LOADER_TEST_COPY_ROLE,
    destination: given.LOADER_TEST_DESTINATION,
    scheduling: given.LOADER_TEST_SCHEDULER,
    machines: given.LOADER_TEST_MACHINES,
    probe: given.LOADER_TEST_PROBE,
    client: {},
    stop: async () => undefined,
  };
}

async function onThisMachine(warehouse: boolean): Promise<Place> {
  const state = mkdtempSync(join(tmpdir(), 'redshift-loader-contract-'));
  const { cloud, stop } = warehouse ? await startInstallation({ state }) : await withoutWarehouse(state);
  const { accessKeyId, secretAccessKey } = cloud.credentials;
  // readSecret finds its endpoint as a function does, in the environment.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  });
  const told = (variable: string): string => {
    const functions = cloud.stack.of('AWS::Lambda::Function').map(({ properties }) => WithVariables.parse(properties));
    return functions.flatMap(({ Environment }) => Environment.Variables[variable] ?? [])[0] ?? '';
  };
  return {
    table: cloud.outputs.ConfigTable ?? '',
    bucket: cloud.outputs.StageBucket ?? '',
    copyRole: cloud.outputs.CopyRoleArn ?? '',
    destination: DESTINATION,
    scheduling: SchedulerSettings.parse(JSON.parse(told('SCHEDULER'))),
    machines: MachineArns.parse(JSON.parse(told('MACHINES'))),
    probe: told('PROBE_FUNCTION'),
    client: { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials },
    async stop() {
      await stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

const WithVariables = z.object({
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }).default({ Variables: {} }),
});

async function withoutWarehouse(state: string) {
  const cloud = await startCloud({ assembly: await synthesize({ destinations: [DESTINATION] }), state });
  return { cloud, stop: () => cloud.stop() };
}
