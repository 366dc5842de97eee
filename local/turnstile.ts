/** Lets so many in at once; the others wait for their turn, in order. */
export function turnstile(most: number): { enter(): Promise<void>; leave(): void } {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return {
    async enter() {
      if (inside < most) inside++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    leave() {
      const next = waiting.shift();
      if (next) next();
      else inside--;
    },
  };
}
