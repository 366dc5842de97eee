import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from '../shared/model/errors.ts';
import type { Report } from './ui/report-schema.ts';

export interface Control {
  url: string;
  stop(): Promise<void>;
}

/** The control address of `--serve`: `POST /run` runs the job once more and answers with that run's report. */
export async function startControl(run: () => Promise<Report>): Promise<Control> {
  let queue: Promise<unknown> = Promise.resolve();
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body, null, 2)}\n`);
    };
    if (request.url !== '/run') return answer(404, { error: 'NotFound: there is POST /run' });
    if (request.method !== 'POST') return answer(405, { error: 'MethodNotAllowed: use POST' });
    // One after another: each report speaks of its run alone.
    const mine = queue.then(run);
    queue = mine.catch(() => undefined);
    try {
      answer(200, await mine);
    } catch (error) {
      answer(500, { error: describeError(error) });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
