import { randomBytes } from 'node:crypto';
import { cpSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { assumedRole, type Iam } from './iam.ts';
import { REGION } from './identity.ts';
import type { Identity } from './sigv4.ts';
import type { Stack } from './template.ts';

/** A function of the template, ready to be run. */
export interface LambdaFunction {
  name: string;
  arn: string;
  handler: string;
  memoryMb: number;
  timeoutMs: number;
  /** ReservedConcurrentExecutions, else the account's default of 1,000. */
  concurrency: number;
  /** How often an asynchronous invocation that failed is tried again. */
  retries: number;
  identity: Identity;
  /** All but what differs between sandboxes. */
  environment: Record<string, string>;
  /** Copies the code below `dir`, once, and returns its folder. */
  unpack(dir: string): string;
}

const Properties = z.object({
  Code: z.object({ S3Key: z.string() }),
  Handler: z.string(),
  Role: z.string(),
  Runtime: z.string(),
  MemorySize: z.number().default(128),
  Timeout: z.number().default(3),
  ReservedConcurrentExecutions: z.number().optional(),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).default({ Variables: {} }),
  LoggingConfig: z.object({ LogGroup: z.string().optional() }).optional(),
  VpcConfig: z.object({ SubnetIds: z.array(z.unknown()).default([]) }).default({ SubnetIds: [] }),
  Layers: z.array(z.unknown()).default([]),
});
const InvokeConfig = z.object({ FunctionName: z.string(), MaximumRetryAttempts: z.number().default(2) });

/** Gateway endpoints for S3 and DynamoDB, one interface endpoint for Secrets Manager: all that a function in the VPC can reach. */
const VPC_ENDPOINTS = ['s3', 'dynamodb', 'secretsmanager'];

/**
 * The functions of a template, with what Lambda checks when they are created: the runtime, the role's trust, and the
 * right to network interfaces for those in a VPC. Functions of CDK's own custom resources are left out.
 *
 * @throws `UnsupportedFunction`, ServiceError `AccessDenied`
 */
export function readFunctions(stack: Stack, iam: Iam, endpoint: () => string): LambdaFunction[] {
  const retries = new Map(
    stack.of('AWS::Lambda::EventInvokeConfig').map(({ properties }) => {
      const config = InvokeConfig.parse(properties);
      return [config.FunctionName, config.MaximumRetryAttempts] as const;
    }),
  );
  const own = stack.of('AWS::Lambda::Function').filter(({ logicalId }) => !logicalId.startsWith('Custom'));
  return own.map(({ name, arn, properties }) => {
    const parsed = Properties.safeParse(properties);
    if (!parsed.success) throw new Error(`UnsupportedFunction: ${name}: ${z.prettifyError(parsed.error)}`);
    const { Code, Handler, Role, Runtime, MemorySize, Timeout, Environment, VpcConfig, ...rest } = parsed.data;
    const runtime = `nodejs${process.versions.node.split('.')[0]}.x`;
    if (Runtime !== runtime) {
      throw new Error(
        `UnsupportedFunction: ${name} wants ${Runtime}, this is ${runtime} – start with \`npm start\`, which brings the right Node`,
      );
    }
    if (rest.Layers.length > 0) throw new Error(`UnsupportedFunction: ${name} uses layers, which don't exist locally`);
    iam.assume(Role, 'lambda.amazonaws.com', arn);

    const identity: Identity = {
      // Each of its processes has an access key of its own.
      caller: assumedRole(Role, name, name),
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(90).toString('base64'),
    };
    if (VpcConfig.SubnetIds.length > 0) {
      iam.authorize(identity.caller, [{ action: 'ec2:CreateNetworkInterface', resource: '*' }]);
      identity.reach = {
        services: VPC_ENDPOINTS,
        because: `${name} is in a VPC without a NAT gateway; there are endpoints for ${VPC_ENDPOINTS.join(', ')} alone`,
      };
    }
    return {
      name,
      arn,
      handler: Handler,
      memoryMb: MemorySize,
      timeoutMs: Timeout * 1000,
      concurrency: rest.ReservedConcurrentExecutions ?? 1000,
      retries: retries.get(name) ?? 2,
      identity,
      get environment() {
        return {
          ...Environment.Variables,
          ...reserved(identity, name, MemorySize, rest.LoggingConfig?.LogGroup),
          _HANDLER: Handler,
          AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
          AWS_ENDPOINT_URL: endpoint(),
        };
      },
      unpack: (dir) => unpack(stack.asset(Code.S3Key), dir),
    };
  });
}

/** Lambda's defined runtime environment variables (Lambda Developer Guide). */
function reserved(identity: Identity, name: string, memoryMb: number, logGroup: string | undefined) {
  return {
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
    AWS_SESSION_TOKEN: identity.sessionToken ?? '',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: logGroup ?? `/aws/lambda/${name}`,
    LANG: 'en_US.UTF-8',
    PATH: '/usr/local/bin:/usr/bin:/bin:/opt/bin',
    TZ: 'UTC',
  };
}

/** Outside the repository, so that a package left out of the bundle isn't found in the repository's node_modules. */
function unpack(asset: string, dir: string): string {
  const folder = join(dir, basename(asset));
  if (!existsSync(folder)) cpSync(asset, folder, { recursive: true, dereference: true });
  return folder;
}
