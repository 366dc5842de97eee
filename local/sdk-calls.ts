import type { Json } from './endpoint.ts';
import type { Gate } from './gate.ts';
import { isRecord } from './intrinsics.ts';
import type { Caller } from './service.ts';
import { ServiceError } from './service.ts';

/** By Step Functions' name of a service: its name in SigV4's credential scope and its target in AWS JSON. */
const services: Record<string, { service: string; target: string; lowerCamel?: boolean }> = {
  dynamodb: { service: 'dynamodb', target: 'DynamoDB_20120810' },
  redshiftdata: { service: 'redshift-data', target: 'RedshiftData' },
  secretsmanager: { service: 'secretsmanager', target: 'secretsmanager' },
  // The API of Step Functions writes its fields in lower camel case; integrations always write them in Pascal case.
  sfn: { service: 'states', target: 'AWSStepFunctions', lowerCamel: true },
};

export interface SdkCall {
  service: string;
  /** Camel case, e.g. `batchExecuteStatement`. */
  action: string;
  input: unknown;
  caller: Caller;
}

/**
 * A state machine's call of a service (`aws-sdk:…` and `sns:publish`), under the same permissions as any other.
 * @throws ServiceError
 */
export async function callBySdk(
  { service, action, input, caller }: SdkCall,
  gate: Gate,
  json: Json[],
  notify: (topic: string, message: string) => void,
): Promise<unknown> {
  const fields = isRecord(input) ? input : {};
  if (service === 'sns' && action === 'publish') {
    const topic = String(fields.TopicArn);
    const permissions = [{ action: 'sns:Publish', resource: topic }];
    return gate.perform({ service, action: 'Publish', caller, permissions }, async () => {
      notify(topic, typeof fields.Message === 'string' ? fields.Message : JSON.stringify(fields.Message));
      return { MessageId: crypto.randomUUID() };
    });
  }
  const known = services[service];
  const handler = json.find(({ target }) => target === known?.target);
  if (known === undefined || handler === undefined) {
    throw new ServiceError(
      'UnknownOperationException',
      `The local cloud has no ${service}:${action} for state machines`,
    );
  }
  const call = {
    action: upperFirst(action),
    input: known.lowerCamel ? renameKeys(fields, lowerFirst) : fields,
    caller,
  };
  const permissions = handler.permissions(call);
  const output = await gate.perform(
    { service: known.service, action: call.action, caller, permissions, keys: handler.conditions?.(call) },
    () => handler.handle(call),
  );
  return known.lowerCamel && isRecord(output) ? renameKeys(output, upperFirst) : output;
}

const upperFirst = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);
const lowerFirst = (name: string) => name.slice(0, 1).toLowerCase() + name.slice(1);
const renameKeys = (fields: Record<string, unknown>, rename: (key: string) => string) =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [rename(key), value]));
