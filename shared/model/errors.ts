import type { Problem } from './problems.ts';

/**
 * Errors whose names are API: state machines retry by them, people search for them. Each message says what happened
 * and what to do.
 */
export class LoaderError extends Error {
  constructor(name: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

const NAMED = /^[A-Z][A-Za-z]+: /;

/** The text that people read: `Name: what happened – what to do`. A plain Error may have the name in its message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Error' && NAMED.test(error.message) ? error.message : `${error.name}: ${error.message}`;
}

/** What a person gave is wrong, field by field. */
export class InvalidInput extends LoaderError {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    super('InvalidInput', problems.map(({ field, message }) => `${field}: ${message}`).join('; '));
    this.problems = problems;
  }
}

/** What a failed step of a state machine says, as people read it: a function's error arrives as JSON in Cause. */
export function describeStepError({ Error: name = 'Error', Cause: cause = '' }: StepError): string {
  // Step Functions cuts long causes off, so that they need not be JSON to their end.
  const message = /"errorMessage":\s*("(?:[^"\\]|\\.)*")/.exec(cause)?.[1];
  return `${name}: ${message ? String(JSON.parse(message)) : cause}`;
}

/** `$states.errorOutput`, and what DescribeExecution says of an execution that failed. */
export interface StepError {
  Error?: string;
  Cause?: string;
}

export const errors = {
  sourceUnavailable: (message: string, cause?: unknown) => new LoaderError('SourceUnavailable', message, { cause }),
  sourceRefused: (message: string, cause?: unknown) => new LoaderError('SourceRefused', message, { cause }),
  tableUnreadable: (message: string, cause?: unknown) => new LoaderError('TableUnreadable', message, { cause }),
  badConfiguration: (message: string) => new LoaderError('BadConfiguration', message),
  tableBusy: (message: string) => new LoaderError('TableBusy', message),
  tooManyDeletes: (message: string) => new LoaderError('TooManyDeletes', message),
  sourceShrank: (message: string) => new LoaderError('SourceShrank', message),
  findingsGone: (message: string) => new LoaderError('FindingsGone', message),
  stateInUse: (message: string) => new LoaderError('StateInUse', message),
  columnsDiffer: (message: string) => new LoaderError('ColumnsDiffer', message),
  schemaChangePaused: (message: string) => new LoaderError('SchemaChangePaused', message),
  keyEndsInBlank: (message: string) => new LoaderError('KeyEndsInBlank', message),
  valueRefused: (message: string) => new LoaderError('ValueRefused', message),
  extractTooSlow: (message: string, cause?: unknown) => new LoaderError('ExtractTooSlow', message, { cause }),
  leaseLost: (message: string) => new LoaderError('LeaseLost', message),
  notFound: (message: string) => new LoaderError('NotFound', message),
  alreadyExists: (message: string) => new LoaderError('AlreadyExists', message),
  versionConflict: (message: string) => new LoaderError('VersionConflict', message),
  /** What is asked for is understood, but must not happen now. */
  refused: (message: string) => new LoaderError('Refused', message),
  warehouseRefused: (message: string) => new LoaderError('WarehouseRefused', message),
};
