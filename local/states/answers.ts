import { ServiceError } from '../service.ts';
import type { Execution } from './execution.ts';
import type { Executions } from './executions.ts';
import type { HistoryEvent } from './history.ts';
import type { Action, Request } from './requests.ts';

/** The API's answers: one function an action. Dates are epoch seconds, as AWS JSON has them; absent members are left out. */

const seconds = (date: Date): number => date.getTime() / 1000;

function listed(execution: Execution): Record<string, unknown> {
  const { identity, status, startDate, stopDate, redriveCount, redriveDate } = execution;
  return {
    executionArn: identity.arn,
    stateMachineArn: identity.machine.arn,
    name: identity.name,
    status,
    startDate: seconds(startDate),
    ...(stopDate ? { stopDate: seconds(stopDate) } : {}),
    redriveCount,
    ...(redriveDate ? { redriveDate: seconds(redriveDate) } : {}),
  };
}

const REDRIVE_REFUSED: Partial<Record<Execution['status'], string>> = {
  RUNNING: 'Execution is RUNNING and cannot be redriven',
  SUCCEEDED: 'Execution is SUCCEEDED and cannot be redriven',
};

function described(execution: Execution): Record<string, unknown> {
  const { output, error, cause, identity, status } = execution;
  const refused = REDRIVE_REFUSED[status];
  const all = {
    ...listed(execution),
    input: identity.input,
    inputDetails: { included: true },
    output,
    outputDetails: output === undefined ? undefined : { included: true },
    error,
    cause,
    redriveStatus: refused ? 'NOT_REDRIVABLE' : 'REDRIVABLE',
    redriveStatusReason: refused,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** One page of a list; a token is the place that the next page begins at. */
function page<T>(list: readonly T[], request: { maxResults?: number | undefined; nextToken?: string | undefined }) {
  const from = request.nextToken === undefined ? 0 : Number(request.nextToken);
  if (!Number.isInteger(from) || from < 0 || from > list.length) {
    throw new ServiceError('InvalidToken', `Invalid Token: '${request.nextToken}'`);
  }
  const to = from + (request.maxResults || 100);
  return { items: list.slice(from, to), ...(to < list.length ? { nextToken: String(to) } : {}) };
}

/** An event without the payloads, as `includeExecutionData: false` asks for. */
function withoutData(event: HistoryEvent): HistoryEvent {
  const bare: Record<string, unknown> = { ...event };
  for (const [key, value] of Object.entries(event)) {
    if (!key.endsWith('EventDetails')) continue;
    const { input: _i, output: _o, parameters: _p, assignedVariables: _a, ...rest } = value as Record<string, unknown>;
    bare[key] = rest;
  }
  return bare as unknown as HistoryEvent;
}

type Answers = { [A in Action]: (executions: Executions, request: Request<A>) => unknown };

export const answers: Answers = {
  StartExecution(executions, request) {
    const { identity, startDate } = executions.start(request);
    return { executionArn: identity.arn, startDate: seconds(startDate) };
  },

  DescribeExecution: (executions, { executionArn }) => described(executions.find(executionArn)),

  async StopExecution(executions, { executionArn, error, cause }) {
    const execution = executions.find(executionArn);
    if (execution.status === 'RUNNING') await execution.stop({ status: 'ABORTED', error, cause });
    return { stopDate: seconds(execution.stopDate ?? execution.startDate) };
  },

  RedriveExecution: (executions, { executionArn, clientToken }) => ({
    redriveDate: seconds(executions.redrive(executionArn, clientToken)),
  }),

  ListExecutions(executions, request) {
    const { statusFilter, redriveFilter } = request;
    const list = executions
      .of(request.stateMachineArn)
      .filter((one) => statusFilter === undefined || one.status === statusFilter)
      .filter((one) => redriveFilter === undefined || one.redriveCount > 0 === (redriveFilter === 'REDRIVEN'));
    const { items, ...token } = page(list, request);
    return { executions: items.map(listed), ...token };
  },

  GetExecutionHistory(executions, request) {
    const { events } = executions.find(request.executionArn).history;
    const { items, ...token } = page(request.reverseOrder ? events.toReversed() : events, request);
    return { events: request.includeExecutionData ? items : items.map(withoutData), ...token };
  },

  DescribeStateMachine(executions, { stateMachineArn }) {
    const { machine, created } = executions.machine(stateMachineArn);
    const { arn, name, roleArn, definition } = machine;
    const settings = { status: 'ACTIVE', type: 'STANDARD', creationDate: seconds(created) };
    return { stateMachineArn: arn, name, roleArn, definition, ...settings };
  },
};
