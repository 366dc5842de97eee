import { errors } from '../model/errors.ts';
import type { Table } from '../model/table.ts';

/** "You can't use a column of this type as a sort key or distribution key" (Developer Guide, on SUPER, VARBYTE and the spatial types). */
const UNSORTABLE = /^(SUPER|VARBYTE|GEOMETRY|GEOGRAPHY)\b/;

/**
 * Refuses a sort or distribution key that Redshift would refuse, or that a slip of the keyboard would leave out.
 * @throws LoaderError BadConfiguration: names the table, the setting and the column
 */
export function checkWarehouseKeys({ sourceName, columns, sortKey = [], distKey, distStyle }: Table): void {
  const fail = (message: string): never => {
    throw errors.badConfiguration(`${sourceName}: ${message}`);
  };
  if (distKey !== undefined && distStyle !== undefined)
    fail(`distKey and distStyle exclude each other: leave distStyle out to distribute by ${JSON.stringify(distKey)}`);
  for (const [setting, name] of [
    ...sortKey.map((name) => ['sortKey', name] as const),
    ...(distKey === undefined ? [] : [['distKey', distKey] as const]),
  ]) {
    const column = columns.find(({ source }) => source === name);
    if (!column)
      fail(`${setting} names ${JSON.stringify(name)}, which is none of its copied columns: correct the name`);
    else if (UNSORTABLE.test(column.type))
      fail(
        `${setting} names ${JSON.stringify(name)}, but Redshift takes no ${column.type} for it: choose another column`,
      );
  }
}
