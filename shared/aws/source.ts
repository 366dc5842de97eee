import type pg from 'pg';
import { LoaderError } from '../model/errors.ts';
import { connectSource } from '../source/connect.ts';
import { readSecret } from './secrets.ts';

/**
 * Connects to the source whose connection string a secret holds. A warm function keeps secrets for a while: where what was kept
 * leads to nobody, or is refused, the secret is read anew, since the source may have moved, or its password been rotated.
 *
 * @throws LoaderError SourceUnavailable (may pass), SourceRefused or BadConfiguration (will not)
 */
export async function connectBySecret(secretArn: string): Promise<pg.Client> {
  const kept = await readSecret(secretArn);
  try {
    return await connectSource(kept);
  } catch (error) {
    if (!(error instanceof LoaderError)) throw error;
    const fresh = await readSecret(secretArn, { anew: true });
    if (fresh === kept) throw error;
    return connectSource(fresh);
  }
}
