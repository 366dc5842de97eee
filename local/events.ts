import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { matchesPattern } from './event-pattern.ts';
import { ACCOUNT, REGION } from './identity.ts';
import { isRecord } from './intrinsics.ts';
import type { Stack } from './template.ts';

export interface BusEvent {
  source: string;
  'detail-type': string;
  resources: string[];
  detail: unknown;
}

export interface EventBus {
  /** Hands an event to the functions whose rules match it. @returns when all have it, not when they are done */
  publish(event: BusEvent): Promise<void>;
}

const Rule = z.object({
  State: z.string().default('ENABLED'),
  EventPattern: z.record(z.string(), z.unknown()).optional(),
  ScheduleExpression: z
    .undefined({ error: 'rules on a schedule do not tick locally: use EventBridge Scheduler' })
    .optional(),
  Targets: z
    .array(
      z.object({
        Arn: z.string(),
        Input: z.string().optional(),
        InputPath: z.string().optional(),
        InputTransformer: z
          .object({ InputPathsMap: z.record(z.string(), z.string()).default({}), InputTemplate: z.string() })
          .optional(),
      }),
    )
    .default([]),
});
const Grant = z.object({
  Action: z.string(),
  FunctionName: z.string(),
  Principal: z.string(),
  SourceArn: z.string().optional(),
});

/**
 * EventBridge's default bus: the template's rules with functions as targets.
 *
 * @param invoke called for each target that an event goes to
 * @throws `UnsupportedRule`; `PermissionMissing` where no AWS::Lambda::Permission lets a rule invoke its target, since on
 *   AWS the event would then vanish without a word
 */
export function createEventBus(
  stack: Stack,
  invoke: (functionArn: string, payload: string) => Promise<unknown>,
): EventBus {
  const grants = stack.of('AWS::Lambda::Permission').map(({ properties }) => Grant.parse(properties));
  const rules = stack.of('AWS::Events::Rule').map(({ name, arn, properties }) => {
    const parsed = Rule.safeParse(properties);
    if (!parsed.success) throw new Error(`UnsupportedRule: ${name}: ${z.prettifyError(parsed.error)}`);
    for (const { Arn } of parsed.data.Targets) {
      if (!Arn.includes(':function:'))
        throw new Error(`UnsupportedRule: ${name} has the target ${Arn}, which is no function`);
      const granted = grants.some(
        ({ FunctionName, Principal, SourceArn }) =>
          (FunctionName === Arn || Arn.endsWith(`:function:${FunctionName}`)) &&
          Principal === 'events.amazonaws.com' &&
          (SourceArn === undefined || SourceArn === arn),
      );
      if (!granted) throw new Error(`PermissionMissing: rule ${name} may not invoke ${Arn}`);
    }
    return parsed.data;
  });

  return {
    async publish({ resources, ...event }) {
      const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
      const full = { version: '0', id: randomUUID(), ...event, account: ACCOUNT, time, region: REGION, resources };
      const handedOver: Promise<unknown>[] = [];
      for (const { State, EventPattern, Targets } of rules) {
        if (State !== 'ENABLED' || EventPattern === undefined || !matchesPattern(EventPattern, full)) continue;
        for (const { Arn, Input, InputPath, InputTransformer } of Targets) {
          const payload = InputTransformer
            ? transform(InputTransformer, full)
            : (Input ?? JSON.stringify(at(full, InputPath ?? '$') ?? null));
          handedOver.push(invoke(Arn, payload));
        }
      }
      await Promise.all(handedOver);
    },
  };
}

/** Fills a template; a value inside of quotes goes in as it is, any other as JSON ("Amazon EventBridge input transformation"). */
function transform(
  { InputPathsMap, InputTemplate }: { InputPathsMap: Record<string, string>; InputTemplate: string },
  event: unknown,
): string {
  return InputTemplate.replace(/("?)<([^<>]+)>("?)/g, (_whole, open: string, name: string, close: string) => {
    const value = at(event, InputPathsMap[name] ?? '$.undefined');
    const quoted = open === '"' && close === '"';
    if (quoted) return JSON.stringify(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
    return `${open}${typeof value === 'string' && open !== '' ? JSON.stringify(value).slice(1, -1) : (JSON.stringify(value) ?? '""')}${close}`;
  });
}

/** `$.detail.executionArn` → that value of the event. */
function at(event: unknown, path: string): unknown {
  return path
    .split('.')
    .slice(1)
    .reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), event);
}
