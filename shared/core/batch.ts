import { addChangedColumns, type ChangedColumns } from '../model/policies.ts';
import type { Batch, StagedObject, TableState } from '../model/state.ts';

const sum = (objects: StagedObject[], of: (object: StagedObject) => number): number =>
  objects.reduce((total, object) => total + of(object), 0);
export const rowsIn = (batch: Batch): number => sum(batch.objects, (object) => object.rows);
export const changedIn = (batch: Batch): ChangedColumns | undefined =>
  addChangedColumns(batch.objects.map((object) => object.changed));
/** The same with all that was changed told by the first of them: by each it would be too much for a payload. */
export function sumChanged(objects: StagedObject[]): StagedObject[] {
  const changed = addChangedColumns(objects.map((object) => object.changed));
  return objects.map(({ changed: _own, ...object }, i) => (i === 0 && changed ? { ...object, changed } : object));
}
export const bytesIn = (batch: Batch): number => sum(batch.objects, (object) => object.bytes);

/** The batch that a pass has at this place: the one that is being loaded, or the one ahead of it. */
export const batchAt = ({ pass, batch, ahead }: TableState, batches: number): Batch | undefined =>
  pass && batches === pass.batches + 1 ? ahead : pass?.batches === batches ? batch : undefined;
