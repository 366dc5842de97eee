import { randomBytes } from 'node:crypto';

const EVERY_MS = 1_000;

/**
 * Keeps work from lying about in libuv's thread pool. Its threads wait by a condition variable, of which glibc loses a signal once in a
 * very long while (sourceware.org, bug 25847; Debian 12 has it): what was queued then is begun with what is queued next, and a
 * process that waits for nothing else waits for ever. So something is queued every second.
 *
 * @returns ends it
 */
export function startPulse(): () => void {
  const timer = setInterval(() => randomBytes(1, () => undefined), EVERY_MS).unref();
  return () => clearInterval(timer);
}
