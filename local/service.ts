/** Who signed a request: found by the access key in its SigV4 header. */
export interface Caller {
  arn: string;
  /** The role whose policies decide; absent for the operator, who may do everything. */
  roleArn?: string;
  accessKeyId: string;
}

export interface ServiceCall {
  action: string;
  input: Record<string, unknown>;
  caller: Caller;
}

/** One thing that IAM has to allow before a call is handled, e.g. `states:StartExecution` on a machine's ARN. */
export interface Permission {
  action: string;
  resource: string;
}

/** A service that speaks AWS JSON 1.0 or 1.1: the endpoint parses `X-Amz-Target: <target>.<action>` and the body. */
export interface JsonService {
  /** The part of X-Amz-Target before the last dot, e.g. `AWSStepFunctions`, `RedshiftData`, `secretsmanager`. */
  target: string;
  permissions(call: ServiceCall): Permission[];
  handle(call: ServiceCall): Promise<unknown>;
}

/** An error in AWS's own form: clients see `error.name === code`. */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
  }
}
