import { createHash } from 'node:crypto';
import {
  type ChecksumQuery,
  type ComparedTable,
  type Coverage,
  coverage,
  sourceChecksum,
  warehouseChecksum,
} from '../sql/checksum.ts';
import { ValueSum } from './value-sum.ts';

/** One side, able to run a SELECT: rows come as they arrive, every value as text, floats by their shortest exact digits. */
export interface QueryRows {
  rows(sql: string): AsyncIterable<readonly (string | null)[]>;
}

/** What one side holds. */
export interface SideChecksum {
  rows: number;
  /** 32 hexadecimal digits over count and contents; an empty table has one, too. */
  checksum: string;
}

export interface Comparison {
  sourceRows: number;
  warehouseRows: number;
  sourceChecksum: string;
  warehouseChecksum: string;
  identical: boolean;
  covered: Coverage;
}

/**
 * Compares all columns of one table on both sides, which may run side by side. Rows that the source gained since the last
 * completed pass look like differences: a difference counts only if it survives a second look (RULES 22).
 *
 * @throws whatever a side throws, once both have ended
 */
export async function compareTable(
  table: ComparedTable,
  ports: { source: QueryRows; warehouse: QueryRows },
): Promise<Comparison> {
  const sides = [
    checksumOf(sourceChecksum(table), ports.source),
    checksumOf(warehouseChecksum(table), ports.warehouse),
  ] as const;
  // Where one side fails, the other's connection isn't left in the middle of its rows.
  await Promise.allSettled(sides);
  const [source, warehouse] = await Promise.all(sides);
  return {
    sourceRows: source.rows,
    warehouseRows: warehouse.rows,
    sourceChecksum: source.checksum,
    warehouseChecksum: warehouse.checksum,
    identical: source.rows === warehouse.rows && source.checksum === warehouse.checksum,
    covered: coverage(table.columns),
  };
}

/** One side alone, for a function that can reach only one. */
export async function checksumOf({ sql, values }: ChecksumQuery, side: QueryRows): Promise<SideChecksum> {
  if (values.length === 0) {
    for await (const [count, sum] of side.rows(sql)) {
      if (count == null || sum == null) break;
      return { rows: Number(count), checksum: digestOf('text', count, sum) };
    }
    throw new Error(`the checksum query returned no row: ${sql}`);
  }
  const sum = new ValueSum(values);
  for await (const [hash = null, ...rest] of side.rows(sql)) sum.add([hash], rest);
  return { rows: sum.rows, checksum: digestOf('values', String(sum.rows), sum.digest()) };
}

const digestOf = (...parts: string[]): string => createHash('md5').update(parts.join(' ')).digest('hex');
