/**
 * Names that are fixed, because something refers to them before they exist: a machine that starts itself, or a person's
 * GRANT to the database user that Redshift makes of a role. One installation an account: names of roles know no region.
 */
export const NAMES = {
  setupJob: 'redshift-loader-setup-job',
  loadJob: 'redshift-loader-load-job',
  loadTable: 'redshift-loader-load-table',
  verifyJob: 'redshift-loader-verify-job',
  /** The command line finds the admin function by it. */
  admin: 'redshift-loader-admin',
  probe: 'redshift-loader-probe',
  /** Its database user in Redshift is `IAMR:<this>`. */
  warehouseRole: 'redshift-loader-warehouse',
  /** In EventBridge Scheduler. */
  scheduleGroup: 'redshift-loader',
} as const;

/** Where batches wait in the bucket: the only prefix that COPY may touch. */
export const STAGE_PREFIX = 'stage/';
/** Where it is told which rows' values were changed: no part of a load, and kept for longer. */
export const CHANGED_PREFIX = 'changed/';
/** What comparisons found, and what their two sides hand to each other. */
export const COMPARE_PREFIX = 'compare/';
