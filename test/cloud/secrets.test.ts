import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { createSecrets } from '../../local/aws/secrets.ts';
import { fixtureCloud } from './fixture-cloud.ts';

const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-secrets-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const caller = { arn: 'arn:aws:iam::000000000000:user/operator', accessKeyId: 'operator' };

test('a secret lives through create, read, new value, tag and delete, as the SDK sees it', async () => {
  await using cloud = await fixtureCloud();
  const client = new SecretsManagerClient(cloud.client);
  const { ARN } = await client.send(new CreateSecretCommand({ Name: 'jobs/orders', SecretString: 'postgres://a' }));
  assert.match(ARN ?? '', /^arn:aws:secretsmanager:us-east-1:000000000000:secret:jobs\/orders-[A-Za-z0-9]{6}$/);
  const read = async (VersionStage?: string) =>
    (await client.send(new GetSecretValueCommand({ SecretId: 'jobs/orders', VersionStage }))).SecretString;
  assert.equal(await read(), 'postgres://a');
  await client.send(new PutSecretValueCommand({ SecretId: ARN, SecretString: 'postgres://b' }));
  assert.deepEqual([await read(), await read('AWSPREVIOUS')], ['postgres://b', 'postgres://a']);
  await client.send(new TagResourceCommand({ SecretId: ARN, Tags: [{ Key: 'redshift-loader', Value: 'yes' }] }));
  const described = await client.send(new DescribeSecretCommand({ SecretId: ARN }));
  assert.deepEqual(described.Tags, [{ Key: 'redshift-loader', Value: 'yes' }]);
  assert.ok(described.CreatedDate instanceof Date);

  const again = client.send(new CreateSecretCommand({ Name: 'jobs/orders', SecretString: 'x' }));
  await assert.rejects(again, { name: 'ResourceExistsException' });
  await client.send(new DeleteSecretCommand({ SecretId: ARN }));
  await assert.rejects(read(), { name: 'InvalidRequestException' });
  await client.send(new DeleteSecretCommand({ SecretId: ARN, ForceDeleteWithoutRecovery: true }));
  await assert.rejects(read(), { name: 'ResourceNotFoundException' });
  client.destroy();
});

test('secrets are kept in a file that only their owner may read', async () => {
  const file = join(dir, 'secrets.json');
  const input = { Name: 'kept', SecretString: 'quiet' };
  await createSecrets(file).handle({ action: 'CreateSecret', input, caller });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, 'utf8'), /quiet/);
  const value = await createSecrets(file).handle({ action: 'GetSecretValue', input: { SecretId: 'kept' }, caller });
  assert.equal((value as { SecretString: string }).SecretString, 'quiet');
});

test('the tags of a secret and of a request can be asked for by a policy', async () => {
  const secrets = createSecrets(join(dir, 'tags.json'));
  const Tags = [{ Key: 'redshift-loader', Value: 'job' }];
  const create = { action: 'CreateSecret', input: { Name: 'tagged', SecretString: 'x', Tags }, caller };
  assert.equal(secrets.conditions(create)['aws:RequestTag/redshift-loader'], 'job');
  assert.deepEqual(
    secrets.permissions(create).map(({ action }) => action),
    ['secretsmanager:CreateSecret', 'secretsmanager:TagResource'],
  );
  await secrets.handle(create);
  const keys = secrets.conditions({ action: 'GetSecretValue', input: { SecretId: 'tagged' }, caller });
  assert.equal(keys['aws:ResourceTag/redshift-loader'], 'job');
  assert.equal(keys['secretsmanager:ResourceTag/redshift-loader'], 'job');
});
