import type pg from 'pg';

/** One value or line that COPY could not load: a row of SYS_LOAD_ERROR_DETAIL. */
export interface LoadError {
  file: string;
  /** Line in the decompressed file, from 1 */
  line: number;
  column?: string;
  type?: string;
  length?: string;
  position?: number;
  /** Redshift's number (c_load_error_reference.md, "Load error reference") */
  code: number;
  message: string;
}

/** A COPY that ended because of its data: the message names the system table, as Redshift's does. */
export class LoadFailed extends Error {
  override readonly name = 'LoadFailed';
  readonly table: string;
  readonly tableId: number;
  readonly errors: LoadError[];

  constructor(table: string, tableId: number, errors: LoadError[]) {
    super(`Load into table '${table}' failed.  Check 'sys_load_error_detail' system table for details.`);
    this.table = table;
    this.tableId = tableId;
    this.errors = errors;
  }
}

/** Redshift's words where COPY can't reach its objects. */
export class LoadSourceError extends Error {
  override readonly name = 'LoadSourceError';
}

export interface LoadErrorContext {
  user: string;
  queryId: number;
  tableId: number;
  table: string;
  startedAt: Date;
}

/** Writes load errors on a connection of their own, so that they outlive the load's rollback. */
export async function recordLoadErrors(client: pg.Pool, context: LoadErrorContext, errors: LoadError[]): Promise<void> {
  for (const error of errors) {
    await client.query(
      `INSERT INTO redshift.load_errors (user_name, query_id, table_id, table_name, start_time, file_name, line_number,
         column_name, column_type, column_length, position, error_code, error_message)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        context.user,
        context.queryId,
        context.tableId,
        context.table,
        context.startedAt,
        error.file,
        error.line,
        error.column,
        error.type,
        error.length,
        error.position ?? 0,
        error.code,
        error.message,
      ],
    );
  }
}
