import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { REGION } from '../../local/identity.ts';
import { DESTINATION, startInstallation } from '../../local/installation.ts';
import { Destination } from '../../shared/model/destination.ts';

/** Set to 1, the same promises are put to the account that the variables below name (README.md beside this file). */
export const ON_AWS = process.env.LOADER_TEST_AWS === '1';

const Variables = z.object({
  AWS_REGION: z.string(),
  LOADER_TEST_TABLE: z.string(),
  LOADER_TEST_BUCKET: z.string(),
  LOADER_TEST_COPY_ROLE: z.string().startsWith('arn:'),
  LOADER_TEST_DESTINATION: z
    .string()
    .transform((text) => JSON.parse(text))
    .pipe(Destination),
});

export interface Services {
  /** Begins the names of everything that one test file makes, which it removes again. */
  prefix: string;
  table: string;
  bucket: string;
  copyRole: string;
  destination: Destination;
  dynamodb: DynamoDBClient;
  s3: S3Client;
  redshift: RedshiftDataClient;
  secrets: SecretsManagerClient;
}

interface Place extends Pick<Services, 'table' | 'bucket' | 'copyRole' | 'destination'> {
  /** For the SDK's clients; on AWS they find their own. */
  client: object;
  stop(): Promise<void>;
}

/**
 * The services behind the adapters: the local cloud's, started for one test file, or an account's.
 * @param setUp what follows once they are there
 * @param cleanUp removes what the file made, before they end
 */
export function services(setUp: () => unknown = () => undefined, cleanUp: () => unknown = () => undefined): Services {
  const found = { prefix: `contract-${Date.now().toString(36)}${process.pid.toString(36)}` } as Services;
  let place: Place | undefined;
  before(async () => {
    place = ON_AWS ? onAws() : await onThisMachine();
    const { client, stop: _, ...rest } = place;
    Object.assign(found, rest, {
      dynamodb: new DynamoDBClient(client),
      s3: new S3Client({ ...client, requestChecksumCalculation: 'WHEN_REQUIRED' }),
      redshift: new RedshiftDataClient(client),
      secrets: new SecretsManagerClient(client),
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
    client: {},
    stop: async () => undefined,
  };
}

async function onThisMachine(): Promise<Place> {
  const state = mkdtempSync(join(tmpdir(), 'redshift-loader-contract-'));
  const { cloud, stop } = await startInstallation({ state });
  const { accessKeyId, secretAccessKey } = cloud.credentials;
  // readSecret finds its endpoint as a function does, in the environment.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  });
  return {
    table: cloud.outputs.ConfigTable ?? '',
    bucket: cloud.outputs.StageBucket ?? '',
    copyRole: cloud.outputs.CopyRoleArn ?? '',
    destination: DESTINATION,
    client: { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials },
    async stop() {
      await stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
}
