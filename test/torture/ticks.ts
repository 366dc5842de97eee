import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { S3Client } from '@aws-sdk/client-s3';
import type pg from 'pg';
import type * as z from 'zod';
import { createTables } from '../../functions/create-tables.ts';
import type { Edge } from '../../functions/edge.ts';
import { ExtractEvent, extract } from '../../functions/extract.ts';
import { finish } from '../../functions/finish.ts';
import { inspect } from '../../functions/inspect.ts';
import { LoadEvent, type Loaded, load } from '../../functions/load.ts';
import { plan } from '../../functions/plan.ts';
import { type Split, split } from '../../functions/split.ts';
import { verifySource } from '../../functions/verify-source.ts';
import { verifyWarehouse } from '../../functions/verify-warehouse.ts';
import { REGION } from '../../local/identity.ts';
import type { Installation } from '../../local/installation.ts';
import { DESTINATION } from '../../local/installation.ts';
import { Comparisons } from '../../shared/aws/comparisons.ts';
import { Edits } from '../../shared/aws/edits.ts';
import { Findings } from '../../shared/aws/findings.ts';
import { Runs } from '../../shared/aws/runs.ts';
import { Stage } from '../../shared/aws/stage.ts';
import { Store } from '../../shared/aws/store.ts';
import { Ticks as TickHistory } from '../../shared/aws/ticks.ts';
import { Warehouse } from '../../shared/aws/warehouse.ts';
import { ComparisonEvent } from '../../shared/model/compared.ts';
import type { Job } from '../../shared/model/job.ts';
import type { StagedObject } from '../../shared/model/state.ts';
import type { Table } from '../../shared/model/table.ts';

export interface TickPorts {
  connect(secretArn: string): Promise<pg.Client>;
  /** Awaited between two steps, as between two executions' states. */
  between(): Promise<void>;
  /** Milliseconds that a function has left, as it sees them; plenty where absent. */
  remaining?(): number;
  /** Seconds that one call waits for its statement; the Data API's most where absent. */
  wait?: number;
}

/**
 * The functions of the two state machines, called one after the other in this process: an interleaving with writers is
 * then the same for the same seed, which no schedule of processes would be.
 */
export class Ticks {
  readonly #ports: ReturnType<typeof portsOf>;
  readonly #jobId: string;
  readonly #own: TickPorts;
  readonly #edge: Edge;
  #count = 0;

  constructor(installation: Installation, jobId: string, own: TickPorts) {
    this.#ports = portsOf(installation, own.wait);
    this.#jobId = jobId;
    this.#own = own;
    this.#edge = { ...EDGE, ...(own.remaining ? { remaining: own.remaining } : {}) };
  }

  get store(): Store {
    return this.#ports.store;
  }

  /** setup-job, and then what a person decides. */
  async setup(job: Job, decisions: Record<string, Partial<Table>>): Promise<void> {
    const { store } = this.#ports;
    await this.#ports.edits.putJob(job);
    const ports = { ...this.#ports, connect: this.#own.connect };
    await inspect({ jobId: job.jobId }, ports, this.#edge);
    for (const [table, decision] of Object.entries(decisions)) await store.updateTable(job.jobId, table, decision);
    const { refused } = await createTables({ jobId: job.jobId, runId: 'setup' }, ports);
    if (refused.length > 0) throw new Error(refused.join('\n'));
  }

  /** Deletes the job: the tables that it made may be another's then. */
  async forget(): Promise<void> {
    await this.#ports.edits.deleteJob(this.#jobId);
  }

  /** load-job, with all that it starts. @throws Error where a table failed */
  async tick(): Promise<void> {
    const jobId = this.#jobId;
    const runId = `tick-${++this.#count}`;
    const startedAt = new Date().toISOString();
    const ports = { ...this.#ports, connect: this.#own.connect };
    const planned = await plan({ jobId, runId, startedAt, trigger: 'hand' }, ports, this.#edge);
    if (planned.idle) return;
    for (const table of planned.lanes.flatMap((lane) => [lane.table, ...lane.waiting]))
      await this.#large({ jobId, runId, startedAt, table, owner: `${runId}/${table}` });
    for (const each of planned.loads) {
      await this.#own.between();
      await this.#load({ jobId, runId, owner: runId, ...each });
    }
    const { status, reason } = await finish(
      { jobId, runId, startedAt, owner: runId, trigger: 'hand', error: null, comparing: false },
      ports,
      this.#edge,
    );
    if (status === 'failed') throw new Error(reason);
  }

  /** verify-job, for one table's keys: its two sides in turns. */
  async reconcile(table: string): Promise<void> {
    const runId = `reconcile-${++this.#count}`;
    let event = ComparisonEvent.parse({ jobId: this.#jobId, runId, table, kind: 'reconcile' });
    const ports = { ...this.#ports, findings: this.#ports.findings(event), connect: this.#own.connect };
    while (event.step !== 'done') {
      await this.#own.between();
      event = await verifyWarehouse(event, ports, this.#edge);
      if (event.step === 'done' || event.step === 'mend') continue;
      await this.#own.between();
      event = await verifySource(event, ports, this.#edge);
    }
  }

  /** load-table: while a batch is being loaded the next is split and extracted. */
  async #large(table: LargeTable): Promise<void> {
    const ports = { ...this.#ports, connect: this.#own.connect };
    const done = () => finish({ ...table, trigger: 'hand', error: null, comparing: false }, ports, this.#edge);
    let inFlight: z.input<typeof LoadEvent> | null = null;
    for (let batches = 1; ; batches++) {
      await this.#own.between();
      const cut: Split = await split(
        { ...table, connections: 2, ahead: inFlight !== null, smaller: false },
        ports,
        this.#edge,
      );
      let objects: StagedObject[] | null = null;
      if (cut.next === 'load') {
        const extracted = [];
        for (const one of cut.extracts)
          extracted.push(await extract(ExtractEvent.parse({ ...table, extract: one }), ports, this.#edge));
        objects = extracted.flat();
      }
      for (;;) {
        await this.#own.between();
        const loadId = `load/${table.owner}/${batches}/`;
        const fresh = { ...table, tables: [table.table], loadId, batches: cut.batches, meanwhile: !cut.last };
        if (!inFlight && !objects) return void (await done());
        const loaded: Loaded = await load(LoadEvent.parse(inFlight ?? { ...fresh, objects }), ports, this.#edge);
        if (!inFlight) objects = null;
        inFlight = loaded.done ? null : loaded.next;
        if (loaded.done && !loaded.more) return void (await done());
        if (loaded.done ? !objects : loaded.meanwhile) break;
      }
    }
  }

  async #load(event: z.input<typeof LoadEvent>): Promise<void> {
    let loaded = await load(LoadEvent.parse(event), this.#ports, this.#edge);
    while (!loaded.done) loaded = await load(LoadEvent.parse(loaded.next), this.#ports, this.#edge);
  }
}

interface LargeTable {
  jobId: string;
  runId: string;
  startedAt: string;
  table: string;
  owner: string;
}

process.env.POWERTOOLS_METRICS_DISABLED = 'true';
const EDGE: Edge = {
  logger: new Logger({ logLevel: 'SILENT' }),
  metrics: new Metrics({ namespace: 'Test', serviceName: 'test' }),
  now: () => new Date(),
  remaining: () => 300_000,
};

function portsOf({ cloud }: Installation, wait?: number) {
  const client = { endpoint: cloud.endpoint, region: REGION, credentials: cloud.credentials };
  const bucket = cloud.stack.of('AWS::S3::Bucket')[0]?.name ?? '';
  const table = cloud.outputs.ConfigTable ?? '';
  const dynamodb = new DynamoDBClient(client);
  const redshift = new RedshiftDataClient(client);
  if (wait !== undefined)
    redshift.middlewareStack.add((next) => (args) => {
      if ('WaitTimeSeconds' in args.input) args.input.WaitTimeSeconds = wait;
      return next(args);
    });
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  return {
    store: new Store(table, dynamodb),
    runs: new Runs(table, dynamodb),
    ticks: new TickHistory(table, dynamodb),
    edits: new Edits(table, dynamodb),
    comparisons: new Comparisons(table, dynamodb),
    stage: new Stage(bucket, s3),
    open: (name: string) => {
      const destination = { ...DESTINATION, name, schema: name };
      return { destination, warehouse: new Warehouse(destination, redshift) };
    },
    findings: (event: ComparisonEvent) => new Findings(bucket, event, s3),
    copyRoleArn: cloud.outputs.CopyRoleArn ?? '',
  };
}
