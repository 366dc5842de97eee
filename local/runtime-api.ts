import { createServer, type IncomingMessage } from 'node:http';
import { MAX_PAYLOAD, type Sandbox } from './sandbox.ts';

export interface RuntimeApi {
  /** For AWS_LAMBDA_RUNTIME_API: host, port, and the sandbox's own path. */
  addressFor(sandboxId: string): string;
  stop(): Promise<void>;
}

/** The host's side of Lambda's Runtime API (version 2018-06-01), one server for all sandboxes. */
export async function openRuntimeApi(sandbox: (id: string) => Sandbox | undefined): Promise<RuntimeApi> {
  const server = createServer(async (request, response) => {
    const [, id, , , kind, requestId, verb] = (request.url ?? '').split('/');
    const caller = sandbox(id ?? '');
    if (caller === undefined) return void response.writeHead(404).end();
    if (kind === 'invocation' && requestId === 'next') return caller.next(response);

    const payload = await textOf(request).catch(() => undefined);
    if (payload === undefined) return void response.destroy();
    if (kind === 'init') caller.initFailed(payload);
    else if (verb === 'response' && Buffer.byteLength(payload) > MAX_PAYLOAD) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAX_PAYLOAD} bytes).`;
      const error = { errorType: 'Function.ResponseSizeTooLarge', errorMessage };
      caller.finish(requestId ?? '', { functionError: 'Unhandled', payload: JSON.stringify(error) });
    } else if (verb === 'response') caller.finish(requestId ?? '', { payload });
    else caller.finish(requestId ?? '', { functionError: 'Unhandled', payload });
    response.writeHead(202).end('{}');
  });
  // A sandbox waits for its next event as long as it takes.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0;
  await new Promise<void>((done, failed) => server.on('error', failed).listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    addressFor: (id) => `127.0.0.1:${port}/${id}`,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
