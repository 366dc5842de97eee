import * as z from 'zod';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { table } from './fields.ts';
import { readTableItem } from './read.ts';

export const showTable = operation({
  summary: 'Shows a table: keys, copy mode, columns, how far it is, and how its last comparisons ended',
  input: z.strictObject({ jobId, table }),
  async run({ jobId: id, table: name }, { edits, store, comparisons }) {
    const { raw, revision } = await readTableItem(edits, id, name);
    const { revision: _revision, ...item } = raw;
    const { value: state } = await store.readState(id, name);
    return { table: item, version: revision, state, compared: await comparisons.read(id, name) };
  },
});
