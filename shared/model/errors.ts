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

/** The text that people read: `Name: what happened – what to do`. */
export const describeError = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

export const errors = {
  sourceUnavailable: (message: string, cause?: unknown) => new LoaderError('SourceUnavailable', message, { cause }),
  sourceRefused: (message: string, cause?: unknown) => new LoaderError('SourceRefused', message, { cause }),
  tableUnreadable: (message: string, cause?: unknown) => new LoaderError('TableUnreadable', message, { cause }),
  badConfiguration: (message: string) => new LoaderError('BadConfiguration', message),
  columnsDiffer: (message: string) => new LoaderError('ColumnsDiffer', message),
  leaseLost: (message: string) => new LoaderError('LeaseLost', message),
  warehouseRefused: (message: string) => new LoaderError('WarehouseRefused', message),
  warehouseUnavailable: (message: string, cause?: unknown) =>
    new LoaderError('WarehouseUnavailable', message, { cause }),
};
