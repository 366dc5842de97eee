import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ConnectionLost, type Gate } from './gate.ts';
import type { ConditionKeys } from './iam-policy.ts';
import { onBehalfOf } from './on-behalf.ts';
import { type Caller, type JsonService, type ServiceCall, ServiceError } from './service.ts';
import { type Identity, readSignature, sha256, verify } from './sigv4.ts';

/** A JsonService may also tell the values of IAM's condition keys for a call. */
export type Json = JsonService & { conditions?(call: ServiceCall): ConditionKeys };

/** A service with a protocol of its own (S3, Lambda, EventBridge Scheduler). It answers its errors itself. */
export interface RestService {
  /** As in SigV4's credential scope, e.g. `s3`. */
  service: string;
  handle(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void>;
  /** Answers a ServiceError in the service's form; absent: as JSON. */
  refuse?(response: ServerResponse, error: ServiceError): void;
}

export interface EndpointOptions {
  port: number;
  gate: Gate;
  identity(accessKeyId: string): Identity | undefined;
  json: Json[];
  rest: RestService[];
}

export interface Endpoint {
  /** `http://127.0.0.1:<port>`, for AWS_ENDPOINT_URL. */
  url: string;
  /** Open connections are cut. */
  stop(): Promise<void>;
}

/** DynamoDB's limit for a batch, the largest of the services that take their body as a whole. */
const MAX_BODY = 16 * 1024 * 1024;

/**
 * The one HTTP endpoint in front of all services. Every request has to be signed by a known access key.
 * @throws `PortTaken`
 */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const server = createServer((request, response) => {
    route(options, request, response).catch((error) => {
      if (!response.headersSent) refuseAsJson(response, internal(error));
      else response.destroy();
    });
  });
  // Uploads of large objects may take longer than Node's five minutes.
  server.requestTimeout = 0;
  // Longer than the 30 s of a long poll and the idle time that SDK clients keep a connection for.
  server.keepAliveTimeout = 120_000;
  await listen(server, options.port);
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : options.port;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      failed(
        error.code === 'EADDRINUSE'
          ? new Error(
              `PortTaken: port ${port} for the local cloud is in use – stop what listens there, or give another with --port; without it any free one is taken`,
            )
          : error,
      );
    });
    server.listen(port, '127.0.0.1', done);
  });
}

/** Whether the endpoint could open, before anything is made that would have been made in vain. @throws `PortTaken` */
export async function checkPort(port: number): Promise<void> {
  const server = createServer();
  await listen(server, port);
  await new Promise((done) => server.close(done));
}

async function route(options: EndpointOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomUUID();
  response.setHeader('x-amzn-requestid', requestId);
  response.setHeader('x-amz-request-id', requestId);
  let rest: RestService | undefined;
  try {
    const signed = readSignature(request);
    rest = options.rest.find(({ service }) => service === signed.service);
    const identity = verify(request, signed, options.identity(signed.accessKeyId));
    if (identity.reach !== undefined && !identity.reach.services.includes(signed.service)) {
      throw new ServiceError('VpcUnreachable', `${signed.service} can't be reached: ${identity.reach.because}`, 400);
    }
    await onBehalfOf(identity.worksFor, () =>
      rest !== undefined
        ? rest.handle(request, response, identity.caller)
        : answerJson(options, signed.service, identity.caller, request, response),
    );
  } catch (error) {
    if (error instanceof ConnectionLost) {
      response.destroy();
      return;
    }
    const refusal = error instanceof ServiceError ? error : internal(error);
    if (response.headersSent) response.destroy();
    else if (rest?.refuse !== undefined) rest.refuse(response, refusal);
    else refuseAsJson(response, refusal);
  } finally {
    // An answer before the end of the request's body would else leave a connection that can't be used again.
    if (!request.complete) request.resume();
  }
}

async function answerJson(
  { gate, json }: EndpointOptions,
  service: string,
  caller: Caller,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const header = String(request.headers['x-amz-target'] ?? '');
  const dot = header.lastIndexOf('.');
  const [target, action] = [header.slice(0, dot), header.slice(dot + 1)];
  const known = json.find((candidate) => candidate.target === target);
  if (known === undefined) {
    throw new ServiceError('UnknownOperationException', `The local cloud has no ${service} (${header || request.url})`);
  }
  const call: ServiceCall = { action, input: parse(await readBody(request)), caller };
  const output = await gate.perform(
    { service, action, caller, permissions: known.permissions(call), keys: known.conditions?.(call) },
    () => known.handle(call),
  );
  send(response, 200, output ?? {}, request.headers['content-type']);
}

/**
 * The whole body.
 * @throws ServiceError `RequestEntityTooLargeException` above `limit` bytes, `InvalidSignatureException` if it isn't what was signed
 */
export async function readBody(request: IncomingMessage, limit = MAX_BODY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > limit) {
      throw new ServiceError('RequestEntityTooLargeException', `Request must be smaller than ${limit} bytes`, 413);
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const signed = request.headers['x-amz-content-sha256'];
  if (typeof signed === 'string' && /^[0-9a-f]{64}$/.test(signed) && sha256(body) !== signed) {
    throw new ServiceError('InvalidSignatureException', 'The body is not the one that was signed', 403);
  }
  return body;
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch {
    throw new ServiceError('SerializationException', 'The body is not JSON');
  }
}

/** Answers in AWS JSON. */
export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  contentType = 'application/x-amz-json-1.0',
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length });
  response.end(bytes);
}

function refuseAsJson(response: ServerResponse, error: ServiceError): void {
  response.setHeader('x-amzn-errortype', error.code);
  // Some services spell it Message (Secrets Manager, Lambda), others message; clients read either.
  send(response, error.status, { __type: error.code, message: error.message, Message: error.message });
}

function internal(error: unknown): ServiceError {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new ServiceError('InternalFailure', `The local cloud failed: ${text}`, 500);
}
