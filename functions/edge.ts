import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { errors } from '../shared/model/errors.ts';

/** What every verb may use besides its own ports. */
export interface Edge {
  logger: Logger;
  metrics: Metrics;
  now: () => Date;
  /** Milliseconds until Lambda ends this call. */
  remaining: () => number;
}

/** Its `service` is the function's name, from POWERTOOLS_SERVICE_NAME. */
export const logger = new Logger();
/** Installation-wide: a custom metric costs by its dimensions, so there is none by job or table. */
export const metrics = new Metrics({ namespace: 'RedshiftLoader', serviceName: 'redshift-loader' });

/**
 * Makes a Lambda handler of a verb: the event is parsed, everything that is logged carries jobId, table and runId, and an
 * error leaves by its name, which the state machine retries or catches by.
 */
export const handle = <Schema extends z.ZodType, Result>(
  schema: Schema,
  verb: (event: z.output<Schema>, edge: Edge) => Promise<Result>,
) =>
  middy<unknown, Result, Error, Context>()
    .use(injectLambdaContext(logger, { resetKeys: true }))
    .use(logMetrics(metrics, { throwOnEmptyMetrics: false }))
    .handler(async (event, context) => {
      const parsed = schema.safeParse(event);
      if (!parsed.success) throw errors.badConfiguration(`unexpected event: ${z.prettifyError(parsed.error)}`);
      const { jobId, table, runId } = parsed.data as { jobId?: string; table?: string; runId?: string };
      logger.appendKeys({ jobId, table, runId });
      try {
        return await verb(parsed.data, {
          logger,
          metrics,
          now: () => new Date(),
          remaining: () => context.getRemainingTimeInMillis(),
        });
      } catch (error) {
        logger.error((error as Error).message, error as Error);
        throw error;
      }
    });
