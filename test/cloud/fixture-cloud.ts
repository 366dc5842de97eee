import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cloud, type CloudOptions, startCloud } from '../../local/cloud.ts';
import { REGION } from '../../local/identity.ts';
import { fixtureAssembly } from './fixture.ts';

export interface FixtureCloud extends Cloud, AsyncDisposable {
  state: string;
  /** For the SDK's clients, as the operator. */
  client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  table: string;
  bucket: string;
  /** Name of the function with this id in the fixture. */
  functionName(id: string): string;
  /** Calls the function `Probe` directly; throws what it has thrown. */
  probe(event: Record<string, unknown>): Promise<unknown>;
  lines: { name: string; line: string }[];
}

/** The fixture's cloud on a state folder of its own, gone when it is disposed of. */
export async function fixtureCloud(options: Partial<CloudOptions> = {}): Promise<FixtureCloud> {
  const state = options.state ?? mkdtempSync(join(tmpdir(), 'redshift-loader-cloud-'));
  const lines: FixtureCloud['lines'] = [];
  const cloud = await startCloud({
    assembly: await fixtureAssembly(),
    state,
    onLog: (name, line) => lines.push({ name, line }),
    ...options,
  });
  const nameOf = (type: string, id = '') =>
    cloud.stack.of(type).find(({ logicalId }) => logicalId.startsWith(id))?.name ?? `no ${type} ${id}`;
  return {
    ...cloud,
    state,
    lines,
    client: { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials },
    table: nameOf('AWS::DynamoDB::GlobalTable'),
    bucket: nameOf('AWS::S3::Bucket'),
    functionName: (id) => nameOf('AWS::Lambda::Function', id),
    async probe(event) {
      const functionArn = nameOf('AWS::Lambda::Function', 'Probe');
      const { payload, functionError } = await cloud.lambda.invoke({ functionArn, payload: JSON.stringify(event) });
      const answer = JSON.parse(payload);
      if (functionError === undefined) return answer;
      throw Object.assign(new Error(answer.errorMessage), { name: answer.errorType });
    },
    async [Symbol.asyncDispose]() {
      await cloud.stop();
      if (options.state === undefined) rmSync(state, { recursive: true, force: true });
    },
  };
}
