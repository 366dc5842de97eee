import { isCopied, type Relation } from '../model/catalog.ts';
import { errors } from '../model/errors.ts';
import type { TableState } from '../model/state.ts';

const literally = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** Whether one of the patterns, in which * stands for any text, names a table: `schema_migrations`, `tmp_*`. */
export function namedBy(patterns: string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`, 's'));
  return (name) => expressions.some((expression) => expression.test(name));
}

/** The tables that setup would add: nobody excluded them, and no item of the job has them. */
export function tablesToAdd(relations: Relation[], known: Set<string>, exclude: string[]): string[] {
  const excluded = namedBy(exclude);
  return relations
    .filter((one) => isCopied(one) && one.hasColumns && !known.has(one.name) && !excluded(one.name))
    .map(({ name }) => name);
}

/** Names of one warning: the rest are counted. */
const TOLD = 10;

/** What a run tells of tables that are new at the source. */
export function describeNewTables(names: string[], autoAddTables: boolean): string {
  const more = names.length > TOLD ? ` and ${names.length - TOLD} more` : '';
  const list = names.slice(0, TOLD).join(', ') + more;
  return autoAddTables
    ? `new at the source, and set up now: ${list} – later runs load them`
    : `new at the source: ${list} – run setup to copy them, set the job's autoAddTables, or name them in its exclude`;
}

/** Why a table can't be had: where the source has it under another name, its own error can say more than that it is gone. */
export function whyGone(name: string, error: Error, relations: Relation[], state: TableState | undefined): Error {
  const oid = state?.watermark?.oid ?? state?.pass?.next.oid;
  const now = relations.find((one) => one.oid === oid && one.name !== name);
  if (error.name !== 'TableUnreadable' || !now) return error;
  return errors.tableUnreadable(
    `${name} is called ${now.name} at the source now: rename it back; or run setup, which adds ${now.name} as a table of its own, and disable ${name}`,
    error,
  );
}
