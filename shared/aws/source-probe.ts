import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { LoaderError } from '../model/errors.ts';
import { Probed } from '../model/probed.ts';

const Thrown = z.object({ errorType: z.string(), errorMessage: z.string() });

/**
 * Has the source side look at a job's source: it alone sits in the source's network.
 * @throws LoaderError with the name and words of what the function threw: SourceUnavailable, SourceRefused, …
 */
export async function probeSource(functionName: string, jobId: string, client = new LambdaClient({})): Promise<Probed> {
  const { FunctionError, Payload } = await client.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify({ jobId }) }),
  );
  const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString('utf8'));
  if (!FunctionError) return Probed.parse(answer);
  const { errorType, errorMessage } = Thrown.parse(answer);
  throw new LoaderError(errorType, errorMessage);
}
