import type { HistoryEventType } from '@aws-sdk/client-sfn';
import { StateError } from './errors.ts';
import { MAX_EVENTS } from './limits.ts';

/** An event as GetExecutionHistory returns it: `timestamp` in epoch seconds, the details under a key of their own. */
export interface HistoryEvent {
  timestamp: number;
  type: HistoryEventType;
  id: number;
  previousEventId: number;
  [details: `${string}EventDetails`]: Record<string, unknown>;
}

/** Where in the history a strand of events continues: every branch and iteration is a strand. */
export interface Strand {
  lastEvent: number;
}

/** The key that an event's details stand under, e.g. MapIterationStarted → mapIterationStartedEventDetails. */
function detailsKey(type: HistoryEventType): `${string}EventDetails` {
  if (/State(Entered|Exited)$/.test(type)) return `state${type.endsWith('Entered') ? 'Entered' : 'Exited'}EventDetails`;
  return `${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`;
}

/** The events of one execution. The last of the 25,000 is kept free for the one that ends it. */
export class History {
  readonly events: HistoryEvent[] = [];
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** @throws StateError States.Runtime, which nothing retries or catches, when the history is full */
  add(strand: Strand, type: HistoryEventType, details?: Record<string, unknown>): void {
    if (this.events.length >= MAX_EVENTS - 1) {
      throw new StateError(
        'States.Runtime',
        `The execution reached the maximum number of history events (${MAX_EVENTS}).`,
      );
    }
    this.#append(strand, type, details);
  }

  /** For events on the way out, which must not fail: dropped when the history is full. */
  addIfRoom(strand: Strand, type: HistoryEventType, details?: Record<string, unknown>): void {
    if (this.events.length < MAX_EVENTS - 1) this.#append(strand, type, details);
  }

  /** The event that ends the execution, for which there is always room. */
  close(strand: Strand, type: HistoryEventType, details: Record<string, unknown>): void {
    this.#append(strand, type, details);
  }

  #append(strand: Strand, type: HistoryEventType, details: Record<string, unknown> | undefined): void {
    const id = this.events.length + 1;
    const event: HistoryEvent = {
      timestamp: this.#now().getTime() / 1000,
      type,
      id,
      previousEventId: strand.lastEvent,
    };
    if (details) event[detailsKey(type)] = details;
    this.events.push(event);
    strand.lastEvent = id;
  }
}
