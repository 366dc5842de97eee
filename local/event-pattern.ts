import { isRecord } from './intrinsics.ts';

/**
 * Does an event match a pattern of EventBridge (also used by Lambda's FilterCriteria)? Known: literals, `prefix`,
 * `suffix`, `anything-but`, `exists`, `equals-ignore-case`, `numeric` and `$or`.
 *
 * @throws `UnsupportedPattern`
 */
export function matchesPattern(pattern: unknown, event: unknown): boolean {
  if (!isRecord(pattern)) throw new Error(`UnsupportedPattern: ${JSON.stringify(pattern)}`);
  return Object.entries(pattern).every(([key, expected]) => {
    if (key === '$or') return Array.isArray(expected) && expected.some((one) => matchesPattern(one, event));
    const value = isRecord(event) ? event[key] : undefined;
    if (!Array.isArray(expected)) return matchesPattern(expected, value);
    // A list in the event matches if any of its entries does.
    const values = Array.isArray(value) ? value : [value];
    return expected.some((one) => values.some((each) => matchesOne(one, each)));
  });
}

function matchesOne(expected: unknown, value: unknown): boolean {
  if (!isRecord(expected)) return expected === (value ?? null) && (expected !== null || value === null);
  const [operator, operand] = Object.entries(expected)[0] ?? [];
  const text = typeof value === 'string' ? value : undefined;
  switch (operator) {
    case 'exists':
      return (value !== undefined) === operand;
    case 'prefix':
      return text?.startsWith(String(operand)) ?? false;
    case 'suffix':
      return text?.endsWith(String(operand)) ?? false;
    case 'equals-ignore-case':
      return text?.toLowerCase() === String(operand).toLowerCase();
    case 'anything-but': {
      const excluded = Array.isArray(operand) ? operand : [operand];
      return value !== undefined && !excluded.some((one) => matchesOne(one, value));
    }
    case 'numeric':
      return typeof value === 'number' && Array.isArray(operand) && withinRange(operand, value);
    default:
      throw new Error(`UnsupportedPattern: ${operator} is not known to the local cloud`);
  }
}

function withinRange(comparisons: unknown[], value: number): boolean {
  for (let i = 0; i + 1 < comparisons.length; i += 2) {
    const limit = Number(comparisons[i + 1]);
    const holds = {
      '=': value === limit,
      '<': value < limit,
      '<=': value <= limit,
      '>': value > limit,
      '>=': value >= limit,
    };
    if (holds[String(comparisons[i]) as keyof typeof holds] !== true) return false;
  }
  return true;
}
