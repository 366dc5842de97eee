import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** Where a state folder says how its running installation is administrated. */
export const ADDRESS_FILE = 'admin.json';

const Address = z.object({
  endpoint: z.string(),
  region: z.string(),
  credentials: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
});
/** What an SDK client needs to reach a local cloud as its operator. */
export type Address = z.infer<typeof Address>;

/** For this user alone: the key may do everything here. @returns takes it away again */
export function writeAddress(dir: string, address: Address): () => void {
  const file = join(dir, ADDRESS_FILE);
  writeFileSync(file, JSON.stringify(address), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** @throws Error where there is none, or it is damaged */
export const readAddress = (dir: string): Address =>
  Address.parse(JSON.parse(readFileSync(join(dir, ADDRESS_FILE), 'utf8')));
