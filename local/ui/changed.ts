import {
  BECAME,
  type ChangedColumns,
  type ChangedValues,
  CONCERNED,
  type PolicyName,
} from '../../shared/model/policies.ts';
import { count, plural } from './units.ts';

/** Values of one table that policies changed, a sentence each: `1 value of no bytes became NULL in column data (policy emptyBinary)`. */
export function changedValues(changed: ChangedValues = {}, changedColumns: ChangedColumns = {}): string[] {
  return (Object.entries(changed) as [PolicyName, number][]).map(
    ([policy, values]) =>
      `${plural(values, 'value')} ${CONCERNED[policy]} became ${BECAME[policy]}${where(policy, changedColumns)} (policy ${policy})`,
  );
}

function where(policy: PolicyName, changedColumns: ChangedColumns): string {
  const columns = Object.entries(changedColumns).flatMap(([column, { [policy]: own }]) =>
    own === undefined ? [] : [{ column, own }],
  );
  const [only, ...others] = columns;
  if (only === undefined) return '';
  if (others.length === 0) return ` in column ${only.column}`;
  return ` in columns ${columns.map(({ column, own }) => `${column} (${count(own)})`).join(', ')}`;
}
