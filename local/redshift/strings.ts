/** A string literal for Postgres with standard_conforming_strings on (backslashes are ordinary there). */
export function postgresString(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
