import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { ACCOUNT, REGION } from '../identity.ts';
import { type JsonService, type Permission, type ServiceCall, ServiceError } from '../service.ts';
import { createActions } from './actions.ts';
import type { Objects } from './copy-files.ts';
import type { Engine } from './execute.ts';
import { Quotas } from './quotas.ts';
import { Sessions } from './sessions.ts';
import { Users } from './users.ts';

/** A workgroup or cluster that exists, with its database. */
export interface RedshiftDestination {
  workgroupName?: string;
  clusterIdentifier?: string;
  database: string;
  arn: string;
}

/** Told when a statement submitted with WithEvent has ended. */
export interface StatementChange {
  statementId: string;
  statementName?: string;
  state: string;
  principal: string;
}

export interface RedshiftOptions {
  /** libpq URL of the warehouse's Postgres as a superuser; its database is the warehouse database */
  url: string;
  destinations: RedshiftDestination[];
  /** Objects as the COPY role sees them; rejects with ServiceError AccessDenied / NoSuchKey */
  objects: Objects;
  /** ARNs of the roles attached to the warehouse; the first is its default */
  attachedRoles: string[];
  /** Enforce the Data API's quotas per second; default true */
  throttle?: boolean;
  now?(): Date;
  /** SQL an administrator runs for each new database user, e.g. GRANTs; as superuser, past the dialect */
  grants?(user: string): string[];
  statementChanged?(detail: StatementChange): void;
}

export interface RedshiftData extends JsonService {
  /** Prepares the database: schema `redshift` with functions and catalog views */
  start(): Promise<void>;
  /** Cancels what runs and closes all connections */
  stop(): Promise<void>;
}

/** Sessions that run statements at the same time; more wait, PICKED. */
const MOST_SESSIONS = 8;

/** The Redshift Data API in front of a Postgres that speaks only Redshift's dialect. */
export function createRedshiftData(options: RedshiftOptions): RedshiftData {
  const pool = new pg.Pool({ connectionString: options.url, max: 4, application_name: 'redshift-control' });
  pool.on('error', () => undefined);
  const now = options.now ?? (() => new Date());
  const engine: Engine = {
    pool,
    sessions: new Sessions(options.url, MOST_SESSIONS),
    users: new Users(pool, options.grants),
    warehouse: { objects: options.objects, attachedRoles: options.attachedRoles, region: REGION },
    now,
  };
  const { actions, statements } = createActions(engine, options);
  const quotas = new Quotas();
  return {
    target: 'RedshiftData',
    permissions: (call) => permissions(call, options.destinations),
    async handle(call) {
      const action = actions[call.action];
      if (!action)
        throw new ServiceError('UnknownOperationException', `${call.action} is not done by the local stand-in`);
      if (options.throttle ?? true) quotas.count(call.action, now().getTime());
      return action(call);
    },
    async start() {
      const files = ['catalog.sql', 'catalog-views.sql'];
      for (const file of files) await pool.query(await readFile(new URL(file, import.meta.url), 'utf8'));
      const database = (await pool.query<{ name: string }>('SELECT quote_ident(current_database()) AS name')).rows[0]
        ?.name;
      await pool.query(`ALTER DATABASE ${database} SET search_path TO "$user", public, redshift`);
    },
    async stop() {
      await statements.stop();
      await engine.sessions.end();
      await pool.end();
    },
  };
}

/**
 * What IAM has to allow: the Data API's action on the warehouse, and the credentials it fetches in the caller's name
 * (MG "Authorizing access to the Amazon Redshift Data API").
 */
function permissions({ action, input }: ServiceCall, destinations: RedshiftDestination[]): Permission[] {
  if (action !== 'ExecuteStatement' && action !== 'BatchExecuteStatement') {
    return [{ action: `redshift-data:${action}`, resource: '*' }];
  }
  const found = destinations.find(
    ({ workgroupName, clusterIdentifier, arn }) =>
      (workgroupName !== undefined && (input.WorkgroupName === workgroupName || input.WorkgroupName === arn)) ||
      (clusterIdentifier !== undefined && input.ClusterIdentifier === clusterIdentifier),
  );
  const resource = found?.arn ?? '*';
  const needed: Permission[] = [{ action: `redshift-data:${action}`, resource }];
  if (typeof input.SecretArn === 'string') {
    needed.push({ action: 'secretsmanager:GetSecretValue', resource: input.SecretArn });
  } else if (input.WorkgroupName !== undefined) {
    needed.push({ action: 'redshift-serverless:GetCredentials', resource });
  } else {
    const database = `arn:aws:redshift:${REGION}:${ACCOUNT}:dbname:${input.ClusterIdentifier}/${input.Database}`;
    needed.push({ action: 'redshift:GetClusterCredentialsWithIAM', resource: database });
  }
  return needed;
}
