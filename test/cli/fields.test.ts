import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { fieldsOf, givenValue, optionsOf } from '../../cli/fields.ts';
import { OPERATIONS } from '../../functions/admin/operations.ts';

test('every option of every command says what it is for', () => {
  for (const [operation, { input }] of Object.entries(OPERATIONS))
    for (const { flags, description } of fieldsOf(input).flatMap(optionsOf))
      assert.match(description, /^[a-z]/i, `${operation} ${flags}`);
});

test('of maps only those of maps are JSON alone, and what can be read as neither is refused', () => {
  const [policies, tables] = ['policies', 'tables'].map((name) => {
    const field = fieldsOf(OPERATIONS['jobs.edit'].input).find((one) => one.name === name);
    return field && optionsOf(field)[0];
  });
  assert.deepEqual([policies?.flags, tables?.flags], ['--policies <a=b,c=d>', '--tables <json>']);
  const read = (option: typeof policies, typed: string) => option?.parseArg?.(typed, undefined);
  assert.deepEqual(read(policies, 'notANumber=error, emptyBinary=null'), { notANumber: 'error', emptyBinary: 'null' });
  assert.deepEqual(read(policies, '{"notANumber": "error"}'), { notANumber: 'error' });
  assert.deepEqual(read(policies, ''), {});
  assert.deepEqual(read(tables, '{"people": {"distKey": "id"}}'), { people: { distKey: 'id' } });
  // Taken for a map without values it would have taken back all that there was.
  assert.throws(
    () => read(policies, 'notANumber'),
    /^InvalidArgumentError: Write name=value, several with commas, or JSON\.$/,
  );
  assert.throws(
    () => read(tables, '{"people": '),
    /^InvalidArgumentError: Write JSON, such as .* \(Unexpected end of JSON/,
  );
});

test('none takes a setting away, whatever it is', () => {
  const fields = fieldsOf(OPERATIONS['tables.edit'].input).filter(({ nullable }) => nullable);
  assert.ok(fields.length > 5);
  for (const field of fields) {
    const [option] = optionsOf(field);
    if (!option) throw new Error(`${field.name} has an option`);
    const command = new Command().addOption(option).parse([option.long ?? '', 'none'], { from: 'user' });
    assert.equal(givenValue(command.opts()[option.attributeName()]), null, field.name);
  }
});
