import type { Iam } from './iam.ts';
import type { ConditionKeys } from './iam-policy.ts';
import { executionAtWork } from './on-behalf.ts';
import { type Caller, type Permission, ServiceError } from './service.ts';

/** The access key of whoever runs the local cloud: may do everything, and isn't counted. */
export const OPERATOR = 'operator';

export interface Call {
  /** As in SigV4's credential scope, e.g. `redshift-data`. */
  service: string;
  action: string;
  caller: Caller;
  permissions: Permission[];
  keys?: ConditionKeys;
  /** Whether a fault may have it done once more, as a service does that delivers at least once. */
  repeatable?: boolean;
}

export interface Counts {
  lambda: number;
  redshiftData: number;
  s3: number;
  dynamodb: number;
  secretsManager: number;
}

/**
 * Awaited before each call is handled and after it has taken effect. A thrown ServiceError becomes the answer; anything
 * else thrown cuts the connection.
 */
export type Fault = (at: FaultyCall) => Promise<void> | void;

export interface FaultyCall extends Pick<Call, 'service' | 'action' | 'caller' | 'permissions'> {
  moment: 'before' | 'after';
  /** Does the same once more, where a service may do that (Lambda's Invoke). */
  repeat?: () => Promise<unknown>;
}

/** The caller never hears how its call went. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

/** What every call passes, however it comes in: permission, count, injected faults. */
export interface Gate {
  perform<T>(call: Call, work: () => Promise<T>): Promise<T>;
  /** Calls since the start by anybody but the operator: all of them, or those on behalf of one execution. */
  counts(execution?: string): Counts;
}

const noCounts = (): Counts => ({ lambda: 0, redshiftData: 0, s3: 0, dynamodb: 0, secretsManager: 0 });

const countedAs: Record<string, keyof Counts> = {
  lambda: 'lambda',
  'redshift-data': 'redshiftData',
  s3: 's3',
  dynamodb: 'dynamodb',
  secretsmanager: 'secretsManager',
};

export function createGate(iam: Iam, fault?: Fault): Gate {
  const total = noCounts();
  const each = new Map<string, Counts>();
  const count = (service: keyof Counts) => {
    total[service]++;
    const execution = executionAtWork();
    if (execution === undefined) return;
    const own = each.get(execution) ?? noCounts();
    own[service]++;
    each.set(execution, own);
  };

  const inject = async (call: Call, moment: 'before' | 'after', work: () => Promise<unknown>) => {
    const { service, action, caller, permissions, repeatable } = call;
    try {
      await fault?.({ service, action, caller, permissions, moment, ...(repeatable ? { repeat: work } : {}) });
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      throw new ConnectionLost(`${call.service} ${call.action}: ${error instanceof Error ? error.message : error}`);
    }
  };

  return {
    async perform(call, work) {
      iam.authorize(call.caller, call.permissions, call.keys);
      const counter = countedAs[call.service];
      if (counter !== undefined && call.caller.accessKeyId !== OPERATOR) count(counter);
      if (fault === undefined) return work();
      await inject(call, 'before', work);
      const result = await work();
      await inject(call, 'after', work);
      return result;
    },
    counts: (execution) => ({ ...(execution === undefined ? total : (each.get(execution) ?? noCounts())) }),
  };
}
