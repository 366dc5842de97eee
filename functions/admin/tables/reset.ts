import * as z from 'zod';
import { resetState } from '../../../shared/core/reset.ts';
import { errors, InvalidInput } from '../../../shared/model/errors.ts';
import { jobId } from '../fields.ts';
import { operation } from '../operation.ts';
import { table } from './fields.ts';

export const resetTable = operation({
  summary: 'Has the next run load a table again: all of it in one swap, or from a point on',
  input: z.strictObject({
    jobId,
    table,
    to: z
      .string()
      .optional()
      .describe('a time with its zone to read again from, or the highest id to keep; all of the table without'),
    replace: z.boolean().default(false).describe("whether the warehouse's rows from there on go"),
  }),
  async run({ jobId: id, table: name, to, replace }, { store, now }) {
    if (replace && to === undefined)
      throw new InvalidInput([
        {
          field: 'to',
          message:
            'is missing: give the time or the id from which on rows are to be replaced, or leave replace out and all of them are',
        },
      ]);
    const { tables, broken } = await store.readJob(id, [name]);
    const [found] = tables;
    if (!found)
      throw (
        broken.get(name) ??
        errors.badConfiguration(`${name}: the job has no such table – tables list shows those it has`)
      );
    const how = to === undefined ? ({ kind: 'reload' } as const) : ({ kind: 'rewind', to, replace } as const);
    const state = await store.readState(id, name);
    await store.changeState(id, state, (one) => resetState(found, one, how, now()));
    return { table: name, reset: how, disabled: found.disabled };
  },
});
