import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../local/postgres.ts';

/** A throw-away Postgres; `connect` opens clients that `stop` closes. */
export interface TestServer {
  connect(database?: string, user?: string): Promise<pg.Client>;
  stop(): Promise<void>;
}

export const startTestServer = async (settings: Record<string, string> = {}): Promise<TestServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-test-'));
  // As root the server runs as another user, who must be able to enter.
  chmodSync(dir, 0o755);
  const server = await startPostgres({ dir, name: 'test', settings });
  const clients: pg.Client[] = [];
  return {
    async connect(database = 'test', user) {
      const url = new URL(await server.createDatabase(database));
      if (user !== undefined) [url.username, url.password] = [user, user];
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      clients.push(client);
      return client;
    },
    async stop() {
      await Promise.all(clients.map((client) => client.end()));
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
