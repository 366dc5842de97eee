import type { FaultyCall } from '../../../local/gate.ts';
import { ServiceError } from '../../../local/service.ts';
import type { FaultPoint } from '../../../local/states/ports.ts';
import type { SourceMoment } from './source-proxy.ts';

/** What goes wrong. */
export type How =
  /** The service answers 5xx, to every try that the SDK makes; after the call it was carried out each time. */
  | 'down'
  /** The service asks to come more slowly, at every try that the SDK makes. */
  | 'throttled'
  /** The connection breaks, once: the SDK tries again. */
  | 'lost'
  /** The function's process dies. */
  | 'killed'
  /** Somebody stops all executions, and what they held is released; the function goes on, since nobody tells it. */
  | 'stopped'
  /** As before, and the function goes on only when the runs after it have long done its work. */
  | 'late'
  /** What was stopped is redriven. */
  | 'redriven'
  /** A function gets its event twice, at once. */
  | 'twice'
  /** Its event is delivered once more, late: while the next function is at work. */
  | 'again'
  /** A state fails by an error that nothing names. */
  | 'failed'
  /** The source answers by an error of this class. */
  | `sqlstate ${string}`;

/** One moment of a run: the nth time that something is done in it. */
export interface Point {
  /** `load dynamodb:PutItem`, `states lambda:Invoke split`, `state load-table Split`, `source BEGIN`. */
  what: string;
  nth: number;
  moment: 'before' | 'after';
}

export interface Rule extends Point {
  how: How;
}

export const describe = ({ what, nth, moment, how }: Rule): string => `${moment} ${what} #${nth}: ${how}`;

/** What the plane may do to the installation. */
export interface Hands {
  /** The short name of a function, by its physical name or ARN. */
  nameOf(function_: string): string;
  kill(functionName: string): void;
  /** Stops all executions, and waits until what they held is released. @returns their ARNs */
  stop(): Promise<string[]>;
  redrive(executionArns: string[]): Promise<void>;
}

/** Tries that an SDK client makes of one call. */
const SDK_TRIES = 3;

/** As the services themselves call it. */
const WORDS: Record<string, { down: [string, number]; throttled: [string, number] }> = {
  dynamodb: { down: ['InternalServerError', 500], throttled: ['ProvisionedThroughputExceededException', 400] },
  s3: { down: ['InternalError', 500], throttled: ['SlowDown', 503] },
  'redshift-data': { down: ['InternalServerException', 500], throttled: ['ThrottlingException', 400] },
  secretsmanager: { down: ['InternalServiceError', 500], throttled: ['ThrottlingException', 400] },
  lambda: { down: ['ServiceException', 500], throttled: ['TooManyRequestsException', 429] },
};

/** Where faults happen: every call of a service, every state, every statement at the source passes here. */
export class FaultPlane {
  hands: Hands | undefined;
  #rules: { rule: Rule; left: number }[] = [];
  #seen = new Map<string, number>();
  #points: Point[] | undefined;
  #held: (() => void)[] = [];
  #again: (() => Promise<unknown>)[] = [];
  #stopping = 0;
  #struck: Rule[] = [];

  /** Forgets what was, and lets these faults happen. */
  arm(rules: Rule[]): void {
    this.disarm();
    this.#rules = rules.map((rule) => ({ rule, left: tries(rule) }));
  }

  /** @returns the rules that came into play since they were set */
  disarm(): Rule[] {
    const struck = this.#struck;
    this.#rules = [];
    this.#struck = [];
    this.#again = [];
    this.#seen.clear();
    return struck;
  }

  /** Functions that are held up. */
  get held(): number {
    return this.#held.length;
  }

  /** Whether executions are being stopped, and perhaps redriven: in between nothing runs, and yet it goes on. */
  get stopping(): boolean {
    return this.#stopping > 0;
  }

  /** Lets functions go on that were held up. */
  letGo(): void {
    for (const go of this.#held.splice(0)) go();
  }

  /** All moments at which something could go wrong while `work` is done. */
  async record(work: () => Promise<void>): Promise<Point[]> {
    const points: Point[] = [];
    this.#points = points;
    try {
      await work();
      return points;
    } finally {
      this.#points = undefined;
    }
  }

  /** For the local cloud: around every call of a service. */
  readonly onCall = async (call: FaultyCall): Promise<void> => {
    const { hands } = this;
    if (!hands || call.caller.accessKeyId === 'operator') return;
    if (call.service === 'lambda' && call.moment === 'before')
      for (const repeat of this.#again.splice(0)) void repeat();
    const rule = this.#meet(nameCall(call, hands), call.moment);
    if (rule) await this.#strike(rule, call, hands);
  };

  async #strike({ how }: Rule, call: FaultyCall, hands: Hands): Promise<void> {
    const words = WORDS[call.service];
    switch (how) {
      case 'twice':
        void call.repeat?.();
        return;
      case 'again':
        if (call.repeat) this.#again.push(call.repeat);
        return;
      case 'killed':
        hands.kill(functionOf(call));
        throw new Error('its process was killed');
      case 'late':
        await this.#stop(how, hands);
        return new Promise((go) => this.#held.push(go));
      case 'stopped':
      case 'redriven':
        return this.#stop(how, hands);
      case 'lost':
        // What Step Functions' own client says of a function whose answer never came.
        if (call.service === 'lambda') throw new ServiceError('SdkClientException', 'the answer got lost', 500);
        throw new Error('the connection broke');
      case 'down':
      case 'throttled':
        if (words) throw new ServiceError(words[how][0], `${call.action}: ${how}`, words[how][1]);
    }
  }

  /** For the interpreter of state machines: when a state is begun, and when it is left. */
  readonly onState = async ({ executionArn, state, moment }: FaultPoint): Promise<void> => {
    const machine = executionArn.split(':').at(-2)?.replace('redshift-loader-', '');
    const rule = this.#meet(`state ${machine} ${state}`, moment === 'enter' ? 'before' : 'after');
    if (!rule || !this.hands) return;
    if (rule.how === 'failed') throw Object.assign(new Error('the state failed'), { name: 'States.Broken' });
    await this.#stop(rule.how, this.hands);
  };

  async #stop(how: How, hands: Hands): Promise<void> {
    this.#stopping++;
    try {
      const stopped = await hands.stop();
      if (how === 'redriven') await hands.redrive(stopped);
    } finally {
      this.#stopping--;
    }
  }

  /** For the proxy in front of the source: what is to become of a statement, or of its answer. */
  readonly onStatement = (statement: string, moment: 'before' | 'after'): SourceMoment => {
    const rule = this.#meet(`source ${statement}`, moment);
    if (!rule) return 'pass';
    return rule.how.startsWith('sqlstate ') ? { sqlstate: rule.how.slice('sqlstate '.length) } : 'cut';
  };

  #meet(what: string, moment: 'before' | 'after'): Rule | undefined {
    const at = `${moment} ${what}`;
    const nth = (this.#seen.get(at) ?? 0) + 1;
    this.#seen.set(at, nth);
    this.#points?.push({ what, nth, moment });
    const found = this.#rules.find(
      ({ rule, left }) => left > 0 && rule.what === what && rule.moment === moment && rule.nth <= nth,
    );
    if (!found) return undefined;
    if (found.left === tries(found.rule)) this.#struck.push(found.rule);
    found.left--;
    return found.rule;
  }
}

const isCall = ({ what }: Rule): boolean => !/^(source|state|states) /.test(what);
const tries = (rule: Rule): number =>
  isCall(rule) && (rule.how === 'down' || rule.how === 'throttled') ? SDK_TRIES : 1;

/** The physical name of the function that makes a call: its session's name. */
const functionOf = ({ caller }: FaultyCall): string => caller.arn.split('/').at(-1) ?? '';

function nameCall(call: FaultyCall, hands: Hands): string {
  if (call.service !== 'lambda') return `${hands.nameOf(functionOf(call))} ${call.service}:${call.action}`;
  const by = /\.amazonaws\.com$/.test(call.caller.arn) ? call.caller.arn.split('.')[0] : 'states';
  return `${by} lambda:Invoke ${hands.nameOf(call.permissions[0]?.resource ?? '')}`;
}
