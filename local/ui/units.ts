/** 1234567 → `1,234,567`, whatever the machine's locale. */
export const count = (n: number): string => Math.round(n).toLocaleString('en-US');

/** `1 row`, `2,000 rows`. */
export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${Math.round(n) === 1 ? '' : 's'}`;

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in three digits, a kB being 1,000 B: `0 B`, `999 B`, `1.23 kB`, `45.6 MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? count(value) : threeDigits(value)} ${SIZES[unit]}`;
}

const threeDigits = (value: number): string => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

/** `0.04 s`, `3.2 s`, `59 s`, `1m 05s`, `2h 00m`, `3d 04h`: at most seven characters for ten days. */
export function duration(seconds: number): string {
  if (seconds < 0.095) return `${seconds.toFixed(2)} s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${two((whole % 3_600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${two((whole % 86_400) / 3_600)}h`;
}

/** `12,345 rows/s`; nothing before there is anything to divide by, or where a row takes two seconds and more. */
export const speed = (rows: number, seconds: number): string =>
  rows > 0 && seconds >= 0.01 && rows / seconds >= 0.5 ? `${plural(rows / seconds, 'row')}/s` : '';
