/**
 * Whether a statement that failed in the warehouse may succeed when it is submitted again: error 1023 (serializable isolation
 * violation), connections and resources of the moment. What refuses the rows themselves refuses them every time.
 */
export const isTransient = (error: string): boolean =>
  /\b1023\b|serializable isolation|could not serialize|connection .*(reset|closed)|terminating connection|try again|system is shutting down|deadlock/i.test(
    error,
  );
