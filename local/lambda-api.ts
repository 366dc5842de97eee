import { type RestService, readBody } from './endpoint.ts';
import type { Gate } from './gate.ts';
import type { Lambda } from './lambda.ts';
import { MAX_PAYLOAD } from './sandbox.ts';
import { ServiceError } from './service.ts';

/** Lambda's Invoke, as SDK clients call it: `POST /2015-03-31/functions/<name or ARN>/invocations`. */
export function createLambdaApi(lambda: Lambda, gate: Gate): RestService {
  return {
    service: 'lambda',
    async handle(request, response, caller) {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(pathname)?.[1];
      if (request.method !== 'POST' || name === undefined) {
        throw new ServiceError(
          'UnknownOperationException',
          `The local Lambda can only Invoke, not ${request.method} ${pathname}`,
        );
      }
      const functionArn = lambda.find(decodeURIComponent(name))?.arn ?? decodeURIComponent(name);
      const type = String(request.headers['x-amz-invocation-type'] ?? 'RequestResponse');
      if (type !== 'RequestResponse' && type !== 'Event' && type !== 'DryRun') {
        throw new ServiceError('InvalidParameterValueException', `Invocation type ${type} is none`);
      }
      const payload = (await readBody(request, MAX_PAYLOAD)).toString('utf8') || '{}';
      if (!isJson(payload))
        throw new ServiceError('InvalidRequestContentException', 'Could not parse request body into json');

      const permissions = [{ action: 'lambda:InvokeFunction', resource: functionArn }];
      const outcome = await gate.perform({ service: 'lambda', action: 'Invoke', caller, permissions }, async () =>
        type === 'DryRun' ? undefined : lambda.invoke({ functionArn, payload, type }),
      );
      const status = { RequestResponse: 200, Event: 202, DryRun: 204 }[type];
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-amz-executed-version': '$LATEST',
        ...(outcome?.functionError !== undefined && { 'x-amz-function-error': outcome.functionError }),
      });
      response.end(outcome?.payload);
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
