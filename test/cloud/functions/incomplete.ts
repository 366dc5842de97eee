import pg from 'pg';

/** Its bundle leaves `pg` out, as a wrong list of externals would. */
export const handler = async (): Promise<string> => typeof pg.Client;
