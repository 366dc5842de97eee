import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { StreamRecord } from './aws/dynamodb-stream.ts';
import { matchesPattern } from './event-pattern.ts';
import type { Iam } from './iam.ts';
import type { Lambda } from './lambda.ts';
import type { Stack } from './template.ts';

export interface StreamMappings {
  /** A change in a table; delivered later, in order, at least once. */
  add(tableName: string, record: StreamRecord): void;
  /** Resolves when every record has been delivered or given up. */
  idle(): Promise<void>;
  stop(): void;
}

const Mapping = z.object({
  EventSourceArn: z.string(),
  FunctionName: z.string(),
  Enabled: z.boolean().default(true),
  BatchSize: z.number().default(100),
  MaximumRetryAttempts: z.number().default(-1),
  BisectBatchOnFunctionError: z.boolean().default(false),
  FunctionResponseTypes: z.array(z.string()).default([]),
  FilterCriteria: z.object({ Filters: z.array(z.object({ Pattern: z.string() })) }).optional(),
  DestinationConfig: z.object({ OnFailure: z.object({ Destination: z.string() }) }).optional(),
});
type Mapping = z.infer<typeof Mapping>;
const Failures = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** What Lambda's pollers need on a stream (Lambda Developer Guide, "Using Lambda with DynamoDB"). */
const STREAM_ACTIONS = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'];
const RETRY_AFTER_MS = [200, 1_000, 5_000];

export interface MappingPorts {
  lambda: Lambda;
  iam: Iam;
  /** Invoked for each batch; goes through the gate as a call of Lambda's own. */
  invoke(functionArn: string, payload: string): Promise<{ payload: string; functionError?: string }>;
  /** A batch was given up after the last try: `destination` is the ARN of its queue or topic, if it has one. */
  onGivenUp(functionName: string, records: StreamRecord[], destination: string | undefined): void;
}

/**
 * The template's AWS::Lambda::EventSourceMapping on DynamoDB streams. Records that wait when the process ends are lost
 * (on AWS a stream keeps them for a day).
 */
export function createStreamMappings(stack: Stack, ports: MappingPorts): StreamMappings {
  let stopped = false;
  const pollers = stack.of('AWS::Lambda::EventSourceMapping').map(({ name, properties }) => {
    const parsed = Mapping.safeParse(properties);
    const table = parsed.data && /:table\/([^/]+)\/stream\//.exec(parsed.data.EventSourceArn)?.[1];
    const target = parsed.data && ports.lambda.find(parsed.data.FunctionName);
    if (!parsed.success || table === undefined || target === undefined) {
      throw new Error(
        `UnsupportedEventSource: ${name} doesn't connect a DynamoDB stream of this template with a function`,
      );
    }
    const { EventSourceArn } = parsed.data;
    ports.iam.authorize(
      target.identity.caller,
      STREAM_ACTIONS.map((action) => ({ action: `dynamodb:${action}`, resource: EventSourceArn })),
    );
    const filters = parsed.data.FilterCriteria?.Filters.map(({ Pattern }) => JSON.parse(Pattern) as unknown);
    return { mapping: parsed.data, table, target, filters, waiting: [] as StreamRecord[], working: Promise.resolve() };
  });

  const drain = async ({ mapping, target, waiting }: (typeof pollers)[number]) => {
    while (waiting.length > 0 && !stopped) {
      let batch = waiting.splice(0, mapping.BatchSize);
      for (let attempt = 0; batch.length > 0 && !stopped; attempt++) {
        const left = await deliver(ports, target.arn, mapping, batch);
        // "Lambda retries from the first failed record": progress starts the count anew.
        if (left.length < batch.length) attempt = -1;
        batch = left;
        if (batch.length === 0) break;
        if (mapping.MaximumRetryAttempts >= 0 && attempt >= mapping.MaximumRetryAttempts) {
          ports.onGivenUp(target.name, batch, mapping.DestinationConfig?.OnFailure.Destination);
          break;
        }
        await sleep(RETRY_AFTER_MS[Math.min(Math.max(attempt, 0), RETRY_AFTER_MS.length - 1)], undefined, {
          ref: false,
        });
      }
    }
  };

  return {
    add(tableName, record) {
      for (const poller of pollers) {
        const { mapping, table, filters, waiting } = poller;
        if (table !== tableName || !mapping.Enabled || stopped) continue;
        // "Records that don't match are discarded."
        if (filters !== undefined && !filters.some((filter) => matchesPattern(filter, record))) continue;
        waiting.push({ ...record, eventSourceARN: mapping.EventSourceArn });
        poller.working = poller.working.then(() => drain(poller));
      }
    },
    async idle() {
      await Promise.all(pollers.map(({ working }) => working));
    },
    stop() {
      stopped = true;
    },
  };
}

/** Returns the records that have to be delivered again. */
async function deliver(
  ports: MappingPorts,
  functionArn: string,
  mapping: Mapping,
  batch: StreamRecord[],
): Promise<StreamRecord[]> {
  const outcome = await ports.invoke(functionArn, JSON.stringify({ Records: batch })).catch(() => undefined);
  if (outcome === undefined || outcome.functionError !== undefined) {
    if (!mapping.BisectBatchOnFunctionError || batch.length === 1) return batch;
    const half = Math.ceil(batch.length / 2);
    const first = await deliver(ports, functionArn, mapping, batch.slice(0, half));
    // A record that failed holds up all behind it.
    return first.length > 0
      ? [...first, ...batch.slice(half)]
      : deliver(ports, functionArn, mapping, batch.slice(half));
  }
  if (!mapping.FunctionResponseTypes.includes('ReportBatchItemFailures')) return [];
  const reported = Failures.safeParse(JSON.parse(outcome.payload || 'null'));
  const failed = new Set(reported.data?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  const first = batch.findIndex(({ dynamodb }) => failed.has(dynamodb.SequenceNumber));
  return first < 0 ? [] : batch.slice(first);
}
