/**
 * Whether a statement that failed in the warehouse may succeed when it is submitted again: error 1023 (serializable isolation
 * violation), connections and resources of the moment. What refuses the rows themselves refuses them every time.
 */
export const isTransient = (error: string): boolean =>
  /\b1023\b|serializable isolation|could not serialize|connection .*(reset|closed)|terminating connection|too many connections|connection limit|try again|system is shutting down|deadlock/i.test(
    error,
  );

/** Submissions of what fails for such a reason, each under a token of its own. */
export const MAX_ATTEMPTS = 4;

/**
 * Milliseconds before the nth further submission: at most 1 s, 2 s, 4 s, drawn between half of that and all of it, so that loads
 * which stood in each other's way don't come back together.
 */
export const pauseBefore = (attempt: number, random: () => number = Math.random): number =>
  1_000 * 2 ** (attempt - 1) * (0.5 + random() / 2);
