import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchGetCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { TickFacts } from '../core/schedule/admit.ts';
import { memoryWrite } from '../core/schedule/memory.ts';
import { type GateMemory, NO_TICKS, readSchedule } from '../model/schedule.ts';
import type { TickRecord } from '../model/tick.ts';
import { ConfigTable } from './config-table.ts';
import { GATE, jobKey, PAUSE, runsKey, TICK } from './keys.ts';
import { pauseIn, scheduleKey } from './schedules.ts';

/**
 * What a tick reads and writes: the gate's memory, `GATE#<scheduleId>` in the job's partition, which no edit of the
 * schedule touches and which outlives its deletion, so that one made anew keeps the rhythm; and the ticks' history, beside
 * that of the runs.
 */
export class Ticks {
  readonly #items: ConfigTable;

  constructor(table: string, client?: DynamoDBClient) {
    this.#items = new ConfigTable(table, client);
  }

  /** Everything that decides upon a tick, by one call. */
  async read(jobId: string, scheduleId: string): Promise<TickFacts> {
    const keys = [{ pk: jobKey(jobId), sk: 'JOB' }, scheduleKey(jobId, scheduleId), gateKey(jobId, scheduleId), PAUSE];
    const found = await this.#batch(keys);
    const [job, schedule, gate, pause] = keys.map(({ pk, sk }) =>
      found.find((item) => item.pk === pk && item.sk === sk),
    );
    return {
      pause: pause ? pauseIn(pause) : null,
      job: job ? { disabled: job.disabled === true } : null,
      schedule: schedule ? readSchedule(schedule, { jobId, scheduleId }) : null,
      memory: memoryIn(gate),
    };
  }

  async #batch(keys: Record<string, unknown>[]): Promise<Record<string, unknown>[]> {
    const found: Record<string, unknown>[] = [];
    // A throttled answer leaves keys for the next call.
    for (let left = keys; left.length > 0; ) {
      const { Responses, UnprocessedKeys } = await this.#items.client.send(
        new BatchGetCommand({ RequestItems: { [this.#items.name]: { Keys: left, ConsistentRead: true } } }),
      );
      found.push(...(Responses?.[this.#items.name] ?? []));
      left = UnprocessedKeys?.[this.#items.name]?.Keys ?? [];
    }
    return found;
  }

  async readMemory(jobId: string, scheduleId: string): Promise<GateMemory> {
    const { Item } = await this.#items.client.send(
      new GetCommand({ TableName: this.#items.name, Key: gateKey(jobId, scheduleId), ConsistentRead: true }),
    );
    return memoryIn(Item);
  }

  /** @returns whether it was written: false where somebody else has written since `seen` was read */
  async saveMemory(jobId: string, scheduleId: string, seen: GateMemory, next: GateMemory): Promise<boolean> {
    return this.#items.unlessRefused(
      new UpdateCommand({
        TableName: this.#items.name,
        Key: gateKey(jobId, scheduleId),
        ...memoryWrite(seen, next),
      }),
    );
  }

  /** Writes what became of a tick. A skip never replaces what is known: the twin of a tick that runs is skipped. */
  async record(jobId: string, record: TickRecord): Promise<void> {
    const Item = { ...historyKey(jobId, record), ...record };
    const condition = record.status === 'skipped' ? { ConditionExpression: 'attribute_not_exists(pk)' } : {};
    await this.#items.unlessRefused(new PutCommand({ TableName: this.#items.name, Item, ...condition }));
  }

  /** What became of a job's newest ticks, newest first. */
  async list(jobId: string, limit: number): Promise<TickRecord[]> {
    return (await this.#items.newest(runsKey(jobId), TICK, limit)) as unknown as TickRecord[];
  }
}

const gateKey = (jobId: string, scheduleId: string) => ({ pk: jobKey(jobId), sk: `${GATE}${scheduleId}` });
const historyKey = (jobId: string, { scheduledTime, scheduleId }: TickRecord) => ({
  pk: runsKey(jobId),
  sk: `${TICK}${scheduledTime}#${scheduleId}`,
});
const memoryIn = (item: Record<string, unknown> | undefined): GateMemory =>
  (item?.gate as GateMemory | undefined) ?? NO_TICKS;
