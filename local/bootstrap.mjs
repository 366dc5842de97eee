// What AWS's Node runtime does in the sandbox: load the handler, then fetch an event, call the handler, post the result,
// over and over (Lambda's Runtime API, version 2018-06-01). Plain JavaScript: no type stripping in the cold start.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';

const { AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME, LAMBDA_TASK_ROOT, _HANDLER } = process.env;
const api = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

// The host holds the other end: when it is gone, whatever the handler is doing, so are we.
new Socket({ fd: 3 })
  .on('close', () => process.exit(1))
  .on('error', () => process.exit(1))
  .resume()
  .unref();

// As the host does: pulse.ts tells why.
setInterval(() => randomBytes(1, () => undefined), 1_000).unref();

let requestId;
process.on('uncaughtException', (error) => die(error, error.name ?? 'Runtime.UnhandledError', 129));
process.on('unhandledRejection', (reason) => die(reason, 'Runtime.UnhandledPromiseRejection', 128));

const handler = await load().catch(async (error) => {
  console.error(error);
  await post('/init/error', describe(error, initErrorType(error)));
  process.exit(1);
});

for (;;) {
  const { headers, body } = await call('GET', '/invocation/next');
  requestId = headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  try {
    const result = await handler(JSON.parse(body), contextOf(headers));
    await post(`/invocation/${requestId}/response`, JSON.stringify(result) ?? 'null');
  } catch (error) {
    console.error(JSON.stringify({ level: 'ERROR', requestId, ...describe(error) }));
    await post(`/invocation/${requestId}/error`, describe(error));
  }
  requestId = undefined;
}

async function load() {
  const [file, name] = [_HANDLER.slice(0, _HANDLER.lastIndexOf('.')), _HANDLER.slice(_HANDLER.lastIndexOf('.') + 1)];
  const module = await import(entry(file));
  const found = module[name] ?? module.default?.[name];
  if (typeof found !== 'function') throw new Error(`${_HANDLER} is undefined or not exported`);
  // "Starting with Node.js 24, Lambda no longer supports callback-based function handlers" (Lambda Developer Guide).
  if (found.length >= 3) throw new Error(`${_HANDLER} takes a callback: nodejs24.x supports async handlers only`);
  return found;
}

function entry(file) {
  for (const ending of ['js', 'mjs', 'cjs']) {
    const path = `${LAMBDA_TASK_ROOT}/${file}.${ending}`;
    try {
      readFileSync(path);
      return pathToFileURL(path).href;
    } catch {}
  }
  throw Object.assign(new Error(`Cannot find module '${file}' in ${LAMBDA_TASK_ROOT}`), { code: 'MODULE_NOT_FOUND' });
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return {
    functionName: AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: '$LATEST',
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: requestId,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function describe(error, errorType) {
  if (!(error instanceof Error)) {
    return { errorType: errorType ?? typeof error, errorMessage: String(error), trace: [] };
  }
  const trace = (error.stack ?? '').split('\n');
  return { errorType: errorType ?? error.name, errorMessage: error.message, trace };
}

function initErrorType(error) {
  if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') return 'Runtime.ImportModuleError';
  if (error instanceof SyntaxError) return 'Runtime.UserCodeSyntaxError';
  return undefined;
}

function die(error, errorType, code) {
  console.error(error);
  const path = requestId === undefined ? '/init/error' : `/invocation/${requestId}/error`;
  post(path, describe(error, errorType)).finally(() => process.exit(code));
}

function post(path, body) {
  return call('POST', path, typeof body === 'string' ? body : JSON.stringify(body));
}

function call(method, path, body) {
  return new Promise((done, failed) => {
    const sent = request(`${api}${path}`, { method, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => done({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', failed);
    });
    sent.on('error', failed);
    sent.end(body);
  });
}
