import { errors } from '../model/errors.ts';
import type { Problem } from '../model/problems.ts';
import type { Table } from '../model/table.ts';

/** "You can't use a column of this type as a sort key or distribution key" (Developer Guide, on SUPER, VARBYTE and the spatial types). */
const UNSORTABLE = /^(SUPER|VARBYTE|GEOMETRY|GEOGRAPHY)\b/;

/** Why a table's sort or distribution key can't be had: Redshift would refuse it, or it names no copied column. */
export function warehouseKeyProblems({ columns, sortKey = [], distKey, distStyle }: Table): Problem[] {
  const named = [
    ...sortKey.map((name) => ({ field: 'sortKey', name })),
    ...(distKey === undefined ? [] : [{ field: 'distKey', name: distKey }]),
  ];
  const problems = named.flatMap(({ field, name }) => {
    const column = columns.find(({ source }) => source === name);
    const quoted = JSON.stringify(name);
    if (!column)
      return [{ field, message: `${field} names ${quoted}, which is none of its copied columns: correct the name` }];
    if (!UNSORTABLE.test(column.type)) return [];
    return [
      {
        field,
        message: `${field} names ${quoted}, but Redshift takes no ${column.type} for it: choose another column`,
      },
    ];
  });
  const twice = sortKey.find((name, i) => sortKey.indexOf(name) !== i);
  if (twice !== undefined)
    problems.push({ field: 'sortKey', message: `sortKey names ${JSON.stringify(twice)} twice: once is enough` });
  if (distKey !== undefined && distStyle !== undefined)
    problems.push({
      field: 'distStyle',
      message: `distKey and distStyle exclude each other: leave distStyle out to distribute by ${JSON.stringify(distKey)}`,
    });
  return problems;
}

/** @throws LoaderError BadConfiguration: names the table, the setting and the column */
export function checkWarehouseKeys(table: Table): void {
  const [problem] = warehouseKeyProblems(table);
  if (problem) throw errors.badConfiguration(`${table.sourceName}: ${problem.message}`);
}
