import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateSecretCommand, DeleteSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { readSecret } from '../../shared/aws/secrets.ts';
import { services } from './services.ts';

const made: string[] = [];
const at = services(undefined, async () => {
  for (const SecretId of made)
    await at.secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
});

async function newSecret(name: string, SecretString?: string): Promise<string> {
  const { ARN = '' } = await at.secrets.send(
    new CreateSecretCommand({
      Name: `redshift-loader/${at.prefix}-${name}`,
      ...(SecretString === undefined ? {} : { SecretString }),
      Tags: [{ Key: 'redshift-loader', Value: 'test' }],
    }),
  );
  made.push(ARN);
  return ARN;
}

test('a secret is read by its ARN, kept for five minutes, and read anew when asked', async () => {
  const arn = await newSecret('known', 'postgres://ü:p%40ss@db/shop');
  let time = 0;
  const now = () => time;
  assert.equal(await readSecret(arn, { now }), 'postgres://ü:p%40ss@db/shop');
  await at.secrets.send(new PutSecretValueCommand({ SecretId: arn, SecretString: 'postgres://rotated' }));
  time = 299_000;
  assert.match(await readSecret(arn, { now }), /p%40ss/);
  assert.equal(await readSecret(arn, { now, anew: true }), 'postgres://rotated');
  await at.secrets.send(new PutSecretValueCommand({ SecretId: arn, SecretString: 'postgres://again' }));
  time = 600_000;
  assert.equal(await readSecret(arn, { now }), 'postgres://again');
});

test('a secret that is not there is named, with what to check', async () => {
  const missing = `${(await newSecret('other', 'x')).replace('-other-', '-missing-')}`;
  await assert.rejects(readSecret(missing), {
    name: 'BadConfiguration',
    message:
      /the secret arn:.*missing.* can't be read \(ResourceNotFoundException\): check that it exists and carries the tag/,
  });
});

test('a secret without a value is named, with what to do', async () => {
  const empty = await newSecret('empty');
  await assert.rejects(readSecret(empty), { name: 'BadConfiguration', message: /the secret arn:/ });
});
