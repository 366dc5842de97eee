import type { Item } from '../../../shared/aws/edits.ts';
import type { JobData } from '../../../shared/aws/store.ts';
import { isRekeyed, means } from '../../../shared/core/pass.ts';
import { stagesLeft } from '../../../shared/core/stages-left.ts';
import type { Destination } from '../../../shared/model/destination.ts';
import type { Table } from '../../../shared/model/table.ts';
import { treatmentOf, type Wishes } from '../../../shared/model/wishes.ts';
import { alterKeys } from '../../../shared/sql/warehouse-columns.ts';

/** What an edit does not do by itself, each in a sentence that says who does, or how. */
export function notesOnEdit(
  before: Item,
  edited: Table,
  given: Record<string, unknown>,
  data: JobData,
  destinations: Destination[],
): string[] {
  const schema = destinations.find(({ name }) => name === data.job.destination)?.schema;
  const keys = ['sortKey', 'distKey', 'distStyle'].some((field) => field in given);
  return [
    ...(keys && edited.created && schema !== undefined
      ? [
          `the warehouse has the table by its former keys: to change them there, run ${alterKeys(schema, edited).join('; ')};`,
        ]
      : []),
    ...notesOnWatermark(edited, data),
    ...('disabled' in given ? notesOnDisabling(edited, data, schema) : []),
    ...('treat' in given ? notesOnTreat(before as Wishes, edited, data) : []),
  ];
}

/** What only a load would take away. */
function notesOnDisabling(edited: Table, { job, states }: JobData, schema?: string): string[] {
  const state = states.get(edited.sourceName)?.value;
  const [drop] = edited.disabled && state ? stagesLeft(job.jobId, [state], schema) : [];
  return drop
    ? [
        `its last load broke off, and left a stage in the warehouse, which its next load drops: where there is to be none, run ${drop}`,
      ]
    : [];
}

/** A watermark by another mode, other keys or another zone counts no more. */
function notesOnWatermark(edited: Table, { states }: JobData): string[] {
  const state = states.get(edited.sourceName)?.value;
  const watermark = state?.watermark;
  if (edited.copyMode === 'FULL_DATA_SYNC' || !watermark || means(watermark, edited, watermark.oid)) return [];
  if (isRekeyed(edited, state)) return ['the next run loads all its rows again'];
  return edited.copyMode === 'INSERT_ONLY'
    ? [
        'the next run reads all its rows once more, and brings what changed until then: from there on it brings new rows only',
      ]
    : ['the next run reads all its rows once more'];
}

function notesOnTreat(before: Wishes, edited: Table, { job, states }: JobData): string[] {
  const named = [...Object.keys(before.treat ?? {}), ...Object.keys(edited.treat ?? {})];
  const changed = [...new Set(named)].filter((name) => treatmentOf(before, name) !== treatmentOf(edited, name));
  const known = new Set([...edited.columns.map(({ source }) => source), ...edited.excluded]);
  const unknown = Object.keys(edited.treat ?? {}).filter((name) => !known.has(name));
  const state = states.get(edited.sourceName)?.value;
  const loaded = state?.watermark !== undefined || (state?.pass?.batches ?? 0) > 0;
  const excluded = changed.filter((name) => treatmentOf(edited, name) === 'exclude');
  const others = changed.filter((name) => !excluded.includes(name));
  const list = (names: string[]) => names.map((name) => JSON.stringify(name)).join(', ');
  const notes: string[] = [];
  if (unknown.length > 0)
    notes.push(`setup has not met ${list(unknown)}: unless the source has it by then, the table stops in the next run`);
  if (!loaded || edited.copyMode === 'FULL_DATA_SYNC') return notes;
  if (excluded.length > 0)
    notes.push(`the warehouse keeps what it has of ${list(excluded)}: drop it there if that is to go`);
  if (others.length > 0)
    notes.push(
      (edited.newColumns ?? job.newColumns) === 'reload'
        ? `the next run loads the table again, for older rows are to have ${list(others)} as well`
        : `rows loaded before keep what they had in ${list(others)} until they change: reset the table to load it again`,
    );
  return notes;
}
