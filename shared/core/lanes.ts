/** Large tables that get an execution each, one after another. */
export interface Lane {
  table: string;
  /** Those whose turn comes after it, in order. */
  waiting: string[];
}

/** Large tables of one run, side by side and in turn, and how many connections to the source each may open meanwhile. */
export interface Lanes {
  lanes: Lane[];
  connections: number;
}

/** Shares a job's connections among its large tables: where there are more tables than connections, they take turns. */
export function inLanes(tables: string[], maxConnections: number): Lanes {
  const count = Math.min(tables.length, maxConnections);
  const lanes = tables.slice(0, count).map((table, lane) => {
    return { table, waiting: tables.slice(count).filter((_table, i) => i % count === lane) };
  });
  return { lanes, connections: Math.floor(maxConnections / Math.max(1, count)) };
}
