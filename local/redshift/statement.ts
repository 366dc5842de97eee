import type { StatementResult } from './results.ts';

export type Status = 'SUBMITTED' | 'PICKED' | 'STARTED' | 'FINISHED' | 'FAILED' | 'ABORTED';

/** One SQL text of an ExecuteStatement or BatchExecuteStatement. */
export interface SubStatement {
  id: string;
  sql: string;
  status: Status;
  error?: string;
  createdAt: Date;
  updatedAt: Date;
  /** nanoseconds; -1 until it ended */
  duration: number;
  /** rows returned or affected; -1 for "null" */
  resultRows: number;
  /** bytes; -1 for "null" */
  resultSize: number;
  queryId: number;
  result?: StatementResult;
}

/** Where a statement runs, as the caller named it. */
export interface Destination {
  workgroupName?: string;
  clusterIdentifier?: string;
  database: string;
}

/** A submitted statement or batch and what became of it. */
export interface Statement {
  id: string;
  name: string | undefined;
  batch: boolean;
  autoCommit: boolean;
  subs: SubStatement[];
  status: Status;
  error?: string;
  createdAt: Date;
  updatedAt: Date;
  duration: number;
  pid: number;
  user: string;
  /** The identity that may describe it: the caller's role, or the caller itself */
  owner: string;
  destination: Destination;
  secretArn: string | undefined;
  parameters: { name: string; value: string }[];
  withEvent: boolean;
  clientToken: string | undefined;
  cancelled: boolean;
  /** Its session is running its SQL: a cancel signal hits it and nobody else */
  interruptible: boolean;
  /** The last cancel signal sent; the session isn't lent on before it has arrived */
  interruption: Promise<unknown>;
  /** Settles (never rejects) when the statement has ended */
  ended: Promise<void>;
}

export const hasEnded = ({ status }: { status: Status }): boolean =>
  status === 'FINISHED' || status === 'FAILED' || status === 'ABORTED';

/** Waits for the end, at most this long. */
export async function awaitEnd(statement: Statement, seconds: number | undefined): Promise<void> {
  if (!seconds || hasEnded(statement)) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([statement.ended, late]);
  clearTimeout(timer);
}
