import { ServiceError } from '../service.ts';

/** Requests per second of MG "Quotas for the Data API"; what isn't named has 3. Not adjustable. */
const PER_SECOND: Record<string, number> = {
  BatchExecuteStatement: 20,
  ExecuteStatement: 30,
  DescribeStatement: 100,
  GetStatementResult: 20,
};
const OTHERS = 3;

/** Counts requests of the last second, as strictly as the quota reads. */
export class Quotas {
  private readonly requests = new Map<string, number[]>();

  /** @throws ServiceError ThrottlingException */
  count(action: string, now: number): void {
    const most = PER_SECOND[action] ?? OTHERS;
    const recent = (this.requests.get(action) ?? []).filter((time) => time > now - 1000);
    this.requests.set(action, recent);
    if (recent.length >= most) throw new ServiceError('ThrottlingException', 'Rate exceeded');
    recent.push(now);
  }
}
