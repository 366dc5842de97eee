import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Job } from '../../shared/model/job.ts';
import { parseInWords, problemsIn } from '../../shared/model/problems.ts';
import { Table } from '../../shared/model/table.ts';

const NONSENSE = [undefined, null, -1, 1.5, 1e12, 'pw-secret', '', ['pw-secret'], { 'pw-secret': 1 }, true];

/** What is said of each field that holds nonsense: `rowLimit is 0: give a whole number above 0`. */
const said = [Job, Table].flatMap((schema) =>
  Object.keys(schema.shape).flatMap((field) =>
    NONSENSE.flatMap((value) => {
      const parsed = parseInWords(schema, { [field]: value });
      if (parsed.success) return [];
      return problemsIn(parsed.error)
        .filter((problem) => problem.field.split('.')[0] === field)
        .map(({ message }) => `${field} ${message}`);
    }),
  ),
);

test('whatever a person made of a field of a job or a table, what to do about it is told', () => {
  assert.ok(said.length > 100);
  // zod's own words name types as programs call them, and say nothing of what to write.
  for (const line of said) assert.match(line, /: (write|take it out|at most|\d)|is missing$|takes|choose|give/, line);
  for (const line of said) assert.doesNotMatch(line, /Too small|Too big|Invalid|expected|undefined: give|NaN/, line);
});

test('a number out of its range, an empty list and a text that is none say what is taken', () => {
  const problem = (schema: typeof Table | typeof Job, item: object) =>
    problemsIn(parseInWords(schema, item).error ?? { issues: [] }).map(({ field, message }) => `${field} ${message}`);
  assert.ok(problem(Table, { maxDeletedShare: 2 }).includes('maxDeletedShare is too large: give 1 or less'));
  assert.ok(problem(Job, { scanBack: -1 }).includes('scanBack is too small: give 0 or more'));
  assert.ok(problem(Table, { primaryKey: 'id' }).includes('primaryKey is a text: give a list'));
  assert.ok(problem(Table, { sourceName: null }).includes('sourceName is null: give a text'));
  assert.ok(problem(Table, {}).includes('destinationName is missing'));
});
