import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { startDynamoDb } from './aws/dynamodb.ts';
import { createS3 } from './aws/s3.ts';
import { createSecrets } from './aws/secrets.ts';
import { type Json, openEndpoint } from './endpoint.ts';
import { createEventBus } from './events.ts';
import { type Counts, createGate, type Fault, OPERATOR } from './gate.ts';
import { assumedRole, readRoles } from './iam.ts';
import { ACCOUNT } from './identity.ts';
import { type Lambda, startLambda } from './lambda.ts';
import { createLambdaApi } from './lambda-api.ts';
import { readFunctions } from './lambda-function.ts';
import { createLogs } from './logs.ts';
import { onBehalfOf } from './on-behalf.ts';
import { startPulse } from './pulse.ts';
import { createRedshiftData, type RedshiftOptions } from './redshift/service.ts';
import { createScheduler, type Scheduler, type SchedulerOptions } from './scheduler/service.ts';
import { callBySdk } from './sdk-calls.ts';
import type { Caller } from './service.ts';
import type { Identity } from './sigv4.ts';
import { createStepFunctions, type StatesPorts, type StatusChange, type StepFunctions } from './states/service.ts';
import { createStreamMappings } from './stream-mappings.ts';
import { readAssembly, type Stack } from './template.ts';

export interface CloudOptions {
  /** A synthesized CDK assembly (`cdk.out`) of one stack. */
  assembly: string;
  /** Folder for tables, objects, secrets and logs; kept between starts. */
  state: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** Values for the template's parameters that have no default, or another one. */
  parameters?: Record<string, string>;
  /** The warehouse behind the Redshift Data API; absent: there is none. `attachedRoles` defaults to the template's roles that trust Redshift. */
  warehouse?: Pick<RedshiftOptions, 'url' | 'destinations' | 'grants' | 'throttle' | 'now'> & {
    attachedRoles?: string[];
  };
  /** Every line that a function writes; it also goes to `<state>/logs/<function>.log`. */
  onLog?(functionName: string, line: string): void;
  /** Called around every call of a service: see `Fault`. */
  fault?: Fault;
  /** Fault at a state, and shortened time, for tests: see `StatesPorts`. */
  states?: Pick<StatesPorts, 'fault' | 'sleep' | 'now'>;
  /** How long a function's process may wait for its next event. */
  idleMs?: number;
  retryAfterMs?: [number, number];
  /** Another clock, and lower quotas, for tests. */
  scheduler?: Pick<SchedulerOptions, 'now' | 'rates'>;
}

export interface Cloud {
  /** `http://127.0.0.1:<port>`, for AWS_ENDPOINT_URL. */
  endpoint: string;
  outputs: Record<string, string>;
  /** The template with everything resolved, e.g. `stack.of('AWS::S3::Bucket')[0]?.name`. */
  stack: Stack;
  /** Of the operator, who may do everything and isn't counted. */
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Calls by functions, machines and rules since the start. */
  counts(): Counts & { transitions: number };
  /** The same of one execution and all that it started, but of none of these machines. */
  countsOf(executionArn: string, without?: string[]): Counts & { transitions: number };
  lambda: Pick<Lambda, 'kill' | 'peakRss' | 'invoke' | 'find' | 'idle' | 'busy'>;
  states: StepFunctions;
  /** EventBridge Scheduler: its schedules tick once it is started. */
  scheduler: Pick<Scheduler, 'list' | 'start' | 'advance'>;
  /** Has a listener told of every execution that begins or ends, after EventBridge. */
  onStatusChange(listener: (detail: StatusChange) => void): void;
  /** Resolves when no execution, asynchronous invocation or stream record is under way. */
  idle(): Promise<void>;
  /** Ends everything that was started; the state stays. */
  stop(): Promise<void>;
}

const Machine = z.object({
  DefinitionString: z.string(),
  RoleArn: z.string(),
  StateMachineType: z.literal('STANDARD').default('STANDARD'),
});
const Trusting = z.object({ AssumeRolePolicyDocument: z.unknown().transform((document) => JSON.stringify(document)) });
/** AWS itself, e.g. EventBridge: what it may do is decided by the permissions on the function. */
const asService = (principal: string): Caller => ({ arn: principal, accessKeyId: principal });

/**
 * Runs a synthesized template on this machine: its functions, state machines, tables, buckets, rules and roles behind
 * one HTTP endpoint.
 *
 * @throws `PortTaken`, `AssemblyUnreadable`, `UnsupportedResource`, and what else the template asks for that isn't here
 */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const stack = readAssembly(options.assembly, options.parameters);
  const iam = readRoles(stack);
  const gate = createGate(iam, options.fault);
  mkdirSync(options.state, { recursive: true });
  const log = createLogs(join(options.state, 'logs'), options.onLog);
  let url = '';
  const functions = readFunctions(stack, iam, () => url);
  const operator = { accessKeyId: OPERATOR, secretAccessKey: randomBytes(30).toString('base64') };
  const owner: Identity = {
    caller: { arn: `arn:aws:iam::${ACCOUNT}:user/${OPERATOR}`, accessKeyId: OPERATOR },
    secretAccessKey: operator.secretAccessKey,
  };

  /** Undone in reverse order, also when the start fails half-way. */
  const undo: (() => Promise<unknown> | unknown)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    undo.push(startPulse());
    const lambda = await startLambda({
      functions,
      onLog: log,
      idleMs: options.idleMs,
      retryAfterMs: options.retryAfterMs,
    });
    undo.push(() => lambda.stop());
    const invoke = (caller: Caller, functionArn: string, payload: string, type?: 'Event') => {
      const permissions = [{ action: 'lambda:InvokeFunction', resource: functionArn }];
      return gate.perform({ service: 'lambda', action: 'Invoke', caller, permissions, repeatable: true }, () =>
        lambda.invoke({ functionArn, payload, type }),
      );
    };

    const mappings = createStreamMappings(stack, {
      lambda,
      iam,
      // Whoever wrote has no part in what follows from it.
      invoke: (arn, payload) => onBehalfOf(undefined, () => invoke(asService('dynamodb.amazonaws.com'), arn, payload)),
      onGivenUp: (name, records, destination) =>
        log('dead-letters', JSON.stringify({ function: name, destination, records })),
    });
    undo.push(() => mappings.stop());
    const tables = stack.of('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable');
    const dynamodb = await startDynamoDb({ dir: join(options.state, 'dynamodb'), tables, onWrite: mappings.add });
    undo.push(() => dynamodb.stop());
    const buckets = stack.of('AWS::S3::Bucket').map(({ name }) => name);
    const s3 = createS3({ dir: join(options.state, 's3'), buckets, gate, iam });
    const secrets = createSecrets(join(options.state, 'secrets.json'));
    const json: Json[] = [dynamodb, secrets];

    if (options.warehouse !== undefined) {
      const { attachedRoles = rolesThatTrustRedshift(stack), ...warehouse } = options.warehouse;
      const redshift = createRedshiftData({ ...warehouse, attachedRoles, objects: s3.objects });
      await redshift.start();
      undo.push(() => redshift.stop());
      json.push(redshift);
    }

    const bus = createEventBus(stack, (functionArn, payload) =>
      invoke(asService('events.amazonaws.com'), functionArn, payload, 'Event').catch((error) =>
        log('events', String(error)),
      ),
    );
    const machines = stack.of('AWS::StepFunctions::StateMachine').map(({ arn, name, properties }) => {
      const { DefinitionString: definition, RoleArn: roleArn } = Machine.parse(properties);
      iam.assume(roleArn, 'states.amazonaws.com', arn);
      return { arn, name, roleArn, definition };
    });
    const listeners: ((detail: StatusChange) => void)[] = [];
    const asMachine = (roleArn: string) => assumedRole(roleArn, 'states', 'states');
    const states = createStepFunctions(machines, {
      ...options.states,
      invokeFunction: ({ functionArn, payload, roleArn }) => invoke(asMachine(roleArn), functionArn, payload),
      callService: ({ roleArn, ...call }) =>
        callBySdk({ ...call, caller: asMachine(roleArn) }, gate, json, (topic, message) =>
          log('notifications', `${topic} ${message}`),
        ),
      authorize: (roleArn, permissions) => iam.authorize(asMachine(roleArn), permissions),
      statusChanged: async (detail) => {
        await bus.publish({
          source: 'aws.states',
          'detail-type': 'Step Functions Execution Status Change',
          resources: [detail.executionArn],
          detail,
        });
        for (const listener of listeners) listener(detail);
      },
    });
    // Functions end before what they call.
    undo.push(async () => {
      await states.stop();
      await lambda.stop();
    });
    json.push(states);

    const scheduler = createScheduler({
      ...options.scheduler,
      ...{ file: join(options.state, 'schedules.jsonl'), stack, gate, iam, lambda, states },
      onGivenUp: (schedule, input, error, queue) =>
        log('dead-letters', JSON.stringify({ schedule, input, error, destination: queue })),
    });
    undo.push(() => scheduler.stop());
    const rest = [s3, createLambdaApi(lambda, gate), scheduler];
    const endpoint = await openEndpoint({
      port: options.port ?? 0,
      gate,
      identity: (key) => (key === OPERATOR ? owner : lambda.identity(key)),
      json,
      rest,
    });
    url = endpoint.url;
    undo.unshift(() => endpoint.stop());

    return {
      endpoint: url,
      outputs: stack.outputs,
      stack,
      credentials: operator,
      counts: () => ({ ...gate.counts(), transitions: states.transitions() }),
      countsOf(executionArn, without) {
        const family = states.family(executionArn, without);
        return family.map(({ arn, transitions }) => ({ ...gate.counts(arn), transitions })).reduce(sum);
      },
      lambda,
      states,
      scheduler,
      onStatusChange: (listener) => void listeners.push(listener),
      async idle() {
        await states.idle();
        await mappings.idle();
        await lambda.idle();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function rolesThatTrustRedshift(stack: Stack): string[] {
  const roles = stack.of('AWS::IAM::Role');
  return roles
    .filter(({ properties }) =>
      /"redshift(-serverless)?\.amazonaws\.com"/.test(Trusting.parse(properties).AssumeRolePolicyDocument),
    )
    .map(({ arn }) => arn);
}

type Counted = ReturnType<Cloud['counts']>;

const sum = (a: Counted, b: Counted): Counted => ({
  lambda: a.lambda + b.lambda,
  redshiftData: a.redshiftData + b.redshiftData,
  s3: a.s3 + b.s3,
  dynamodb: a.dynamodb + b.dynamodb,
  secretsManager: a.secretsManager + b.secretsManager,
  transitions: a.transitions + b.transitions,
});
