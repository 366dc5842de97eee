declare module 'dynalite' {
  interface Options {
    path?: string;
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
  }
  /** Closing the server also closes its database. */
  export default function dynalite(options: Options): import('node:http').Server;
}
