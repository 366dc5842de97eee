import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { errors } from '../model/errors.ts';

/** A warm function reads a secret again after this, so that a rotated password is picked up. */
const KEPT_MS = 5 * 60_000;

const kept = new Map<string, { value: string; at: number }>();

/** @throws LoaderError BadConfiguration where there is no such secret, or this role may not read it */
export async function readSecret(arn: string, { anew = false, now = Date.now } = {}): Promise<string> {
  const known = kept.get(arn);
  if (!anew && known && now() - known.at < KEPT_MS) return known.value;
  const value = await fetchSecret(arn);
  kept.set(arn, { value, at: now() });
  return value;
}

async function fetchSecret(arn: string): Promise<string> {
  try {
    const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: arn }));
    if (SecretString) return SecretString;
  } catch (error) {
    const { name } = error as Error;
    if (name !== 'ResourceNotFoundException' && name !== 'AccessDeniedException') throw error;
    throw errors.badConfiguration(
      `the secret ${arn} can't be read (${name}): check that it exists and carries the tag redshift-loader`,
    );
  }
  throw errors.badConfiguration(`the secret ${arn} holds no text: put the connection string in it`);
}
