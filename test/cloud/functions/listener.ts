/** Writes every event to its log; fails as often as a record's `fail` says. */
const failures = new Map<string, number>();

interface Records {
  Records?: { dynamodb: { SequenceNumber: string; NewImage?: { fail?: { N: string } } } }[];
}

export const handler = async (event: Records): Promise<void> => {
  for (const { dynamodb } of event.Records ?? []) {
    const failed = failures.get(dynamodb.SequenceNumber) ?? 0;
    if (failed < Number(dynamodb.NewImage?.fail?.N ?? 0)) {
      failures.set(dynamodb.SequenceNumber, failed + 1);
      throw new Error('not this time');
    }
  }
  console.log(`EVENT ${JSON.stringify(event)}`);
};
