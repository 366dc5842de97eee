import { sumChanged } from '../shared/core/batch.ts';
import type { StagedObject } from '../shared/model/state.ts';
import type { Copied } from './extract-object.ts';

/**
 * One object after the other: while the upload of one ends the next is read. Of a chunk that is small enough for a single PUT that
 * is all of its upload. Never more than these two, so that memory stays what two uploads take; and none goes on once this has
 * ended, whatever fails.
 */
export async function storeEach(all: AsyncIterable<Copied>): Promise<StagedObject[]> {
  const objects: StagedObject[] = [];
  let ending: Promise<StagedObject> | undefined;
  try {
    for await (const { stored } of all) {
      // It may fail while the next is read: that is told when its turn comes.
      stored.catch(() => undefined);
      const before = ending;
      ending = stored;
      if (before) objects.push(await before);
    }
    if (ending) objects.push(await ending);
    return sumChanged(objects);
  } catch (error) {
    // An upload that failed is told rather than the reading that failed after it, which may be tried again in smaller chunks.
    await ending;
    throw error;
  }
}
