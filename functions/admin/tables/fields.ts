import * as z from 'zod';
import { positive, Share } from '../../../shared/model/job.ts';
import { Timezone } from '../../../shared/model/schedule.ts';
import { Table } from '../../../shared/model/table.ts';
import { Wishes } from '../../../shared/model/wishes.ts';

/** The table that an operation is about. */
export const table = z
  .string()
  .min(1, 'is empty: give its name at the source')
  .describe("the table's name at the source");

const limit = positive.nullable().optional();

/** What a person may change about a table; everything else setup agreed with source and warehouse. */
export const TABLE_FIELDS = {
  copyMode: Table.shape.copyMode.optional().describe('how it is copied'),
  primaryKey: Table.shape.primaryKey.optional().describe('columns that tell rows apart'),
  updatedKey: Table.shape.updatedKey.optional().describe('the column that every change sets; null where there is none'),
  disabled: z.boolean().optional().describe('leave it out of runs'),
  destinationName: Table.shape.destinationName
    .optional()
    .describe('its name in the warehouse, until it is created there'),
  rowLimit: limit.describe("rows of one batch; null for the job's"),
  chunkSize: limit.describe("rows of one chunk; null for the job's"),
  policies: Table.shape.policies
    .unwrap()
    .nullable()
    .optional()
    .describe("what becomes of values that Redshift can't hold; null for the job's"),
  treat: Wishes.shape.treat
    .unwrap()
    .nullable()
    .optional()
    .describe('columns to exclude or to mask, as docs/values.md has them; null takes all that back'),
  sortKey: Wishes.shape.sortKey
    .unwrap()
    .nullable()
    .optional()
    .describe("columns of the warehouse's sort key, an empty list for no key; null for the default"),
  distKey: Wishes.shape.distKey
    .unwrap()
    .nullable()
    .optional()
    .describe('the column by which the warehouse distributes rows; null where there is none'),
  distStyle: Wishes.shape.distStyle
    .unwrap()
    .nullable()
    .optional()
    .describe('how the warehouse distributes rows without a distKey; null for AUTO'),
  newColumns: Table.shape.newColumns
    .unwrap()
    .nullable()
    .optional()
    .describe("whether older rows get new columns by a re-load, or when they change; null for the job's"),
  deletes: Table.shape.deletes.unwrap().optional().describe('what becomes of rows that the source deleted'),
  reconcileEvery: Table.shape.reconcileEvery.unwrap().optional().describe('seconds between two comparisons of keys'),
  maxDeletedShare: Table.shape.maxDeletedShare
    .unwrap()
    .optional()
    .describe('the largest share of its rows that may be deleted at one go, from 0 to 1'),
  minShare: Share.nullable()
    .optional()
    .describe("the least share of the warehouse's rows that may replace them, from 0 to 1; null for the job's"),
  verifyEvery: limit.describe("seconds between two verifications; null for the job's"),
  repair: z.boolean().optional().describe('let verifications repair what they find'),
  timezone: Timezone.optional().describe('the zone of an updatedKey that is a timestamp without one'),
};
