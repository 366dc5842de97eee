import { chmodSync, chownSync, cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Home, homeFor } from '../../local/postgres-home.ts';

/**
 * Copies the folder of a server that is stopped; a server started on the copy is a standby, once it is told whom to follow.
 * The folder above both has to be open to the servers' user.
 */
export function copyAsStandby(primary: string, standby: string): void {
  cpSync(primary, standby, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !/owner$|elsewhere$/.test(path),
  });
  const [from, to] = [homeFor(primary), homeFor(standby)];
  if (!from.data.startsWith(primary)) cpSync(from.data, to.data, { recursive: true });
  writeFileSync(join(to.data, 'standby.signal'), '');
  ownedBy(to);
}

/** As root the server runs as another user, whom the copy has to belong to. */
function ownedBy({ data, user: { uid, gid } }: Home): void {
  const files = readdirSync(data, { recursive: true, encoding: 'utf8' }).map((name) => join(data, name));
  if (uid !== undefined) for (const file of [data, ...files]) chownSync(file, uid, gid ?? uid);
  chmodSync(data, 0o700);
}
