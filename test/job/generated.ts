import fc from 'fast-check';
import type { ValuePolicies } from '../../shared/model/policies.ts';
import type { Treatment } from '../../shared/model/wishes.ts';

/** How a value of the source and one of the warehouse are brought to texts that are equal where both mean the same. */
export type Meaning = 'text' | 'json' | 'number' | 'float' | 'bytes' | 'moment' | 'day';

/** A column that may be: hostile name, any type, values that Postgres takes. */
export interface GeneratedColumn {
  name: string;
  /** As in CREATE TABLE; `%` stands for a name of the column's own, for a type that is made with it. */
  type: string;
  /** Makes that type. */
  create?: string;
  /** A text that is the column's default. */
  default?: string;
  meaning: Meaning;
  values: (string | null)[];
  treat?: Treatment;
}

export interface GeneratedTable {
  name: string;
  key: string;
  /** Whether it has an updated_at, so that its changes are merged. */
  stamped: boolean;
  columns: GeneratedColumn[];
  policies: Partial<ValuePolicies>;
}

/** Values of a column; rows take them in turn. */
export const VALUES = 5;

const HOSTILE = [
  "'",
  '"',
  '\\',
  '`',
  '$$',
  ';',
  '--',
  '/*',
  '*/',
  '%',
  '|',
  '~',
  '.',
  ',',
  ' ',
  '\t',
  '\n',
  '\r',
  '{',
  '}',
  '\\N',
  '\\.',
  'NULL',
  '?',
  ':a',
  '$1',
  'é',
  'ß',
  'İ',
  '日本',
  '👩‍👩‍👧',
  '\u{10ffff}',
  '\u200b',
  '\ufeff',
  "'); DROP TABLE x; --",
];
const text = fc
  .string({ unit: fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'grapheme', maxLength: 2 })), maxLength: 30 })
  .map((value) => value.replaceAll('\0', ''))
  .filter((value) => value.isWellFormed());

const WORDS = ['select', 'USER', 'Table', 'timestamp', 'oid', 'tag', 'AES128', 'order', 'a', 'A', 'ä', 'Ä'];
const SYSTEM = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];
/**
 * Room is left for a suffix: Postgres, which stands in for the warehouse, ends at 63 bytes. A table with a column
 * __proto__ is refused by name.
 */
export const name = fc
  .oneof(fc.constantFrom(...WORDS), text)
  .filter((one) => one !== '' && Buffer.byteLength(one) <= 58 && ![...SYSTEM, '__proto__'].includes(one.toLowerCase()));

const long = (unit: string, most: number) =>
  fc.integer({ min: most - 3, max: most + 3 }).map((length) => unit.repeat(length));
const longText = fc.oneof(
  { weight: 12, arbitrary: text },
  { weight: 1, arbitrary: fc.oneof(long('x', 65_535), long('é', 32_768), long('👩', 16_384), long('日', 21_845)) },
);
const whole = (bits: number) =>
  fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n }).map(String);
const pad = (n: number, width = 2) => String(n).padStart(width, '0');
const clock = fc.integer({ min: 0, max: 86_399_999 }).map((ms) => `${new Date(ms).toISOString().slice(11, 23)}456`);
const day = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
      .map(([y, m, d]) => `${pad(y, 4)}-${pad(m)}-${pad(d)}`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('infinity', '-infinity', '0044-03-15 BC', '294276-12-31', '0001-01-01', '0001-12-31 BC'),
  },
);
const moment = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        day.filter((one) => /^\d{4}-\d\d-\d\d$/.test(one)),
        clock,
      )
      .map(([d, t]) => `${d} ${t}`),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'infinity',
      '-infinity',
      '4713-01-01 00:00:00 BC',
      '294276-12-31 23:59:59.999999',
      '0001-01-01 00:00:00',
    ),
  },
);
const digits = (before: number, behind: number) =>
  fc
    .tuple(
      fc.boolean(),
      fc.bigInt({ min: 0n, max: 10n ** BigInt(before) - 1n }),
      fc.bigInt({ min: 0n, max: 10n ** BigInt(behind) - 1n }),
    )
    .map(
      ([negative, left, right]) =>
        `${negative ? '-' : ''}${left}${behind > 0 ? `.${String(right).padStart(behind, '0')}` : ''}`,
    );
const SPECIAL = ['NaN', 'Infinity', '-Infinity'];
const double = fc.oneof(
  fc.double().map((n) => (Object.is(n, -0) ? '-0' : String(n))),
  fc.constantFrom('5e-324', '1.7976931348623157e308', ...SPECIAL),
);
const single = fc.oneof(
  fc.float().map((n) => (Object.is(n, -0) ? '-0' : String(n))),
  fc.constantFrom(...SPECIAL),
);
const json = fc.oneof(
  { weight: 8, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value).replaceAll('\\u0000', '')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'null',
      '12345678901234567890.123456789',
      '"\\\\u0000"',
      `["${'x'.repeat(65_535)}"]`,
      `{"a": "${'y'.repeat(65_536)}"}`,
    ),
  },
);
const wildJson = fc.oneof(
  { weight: 8, arbitrary: json },
  { weight: 1, arbitrary: fc.constantFrom('"\\u0000"', '["\\ud83d"]', '{"a": 1, "a": 2}', ' { "x" : 1 }') },
);
const quoted = (value: string | null) => (value === null ? 'NULL' : `"${value.replace(/[\\"]/g, '\\$&')}"`);
const array = (element: fc.Arbitrary<string>) =>
  fc.array(fc.option(element), { maxLength: 4 }).map((all) => `{${all.map(quoted).join(',')}}`);
const bits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom('0', '1'), minLength: min, maxLength: max });
const hex = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  fc.constant('\\x'),
);

interface Kind {
  type: string;
  meaning: Meaning;
  values: fc.Arbitrary<string>;
  create?: string;
}

const plain = (type: string, values: fc.Arbitrary<string>, meaning: Meaning = 'text'): Kind => ({
  type,
  meaning,
  values,
});
const label = text.filter((one) => Buffer.byteLength(one) <= 63);

const KINDS: fc.Arbitrary<Kind> = fc.oneof(
  fc.constantFrom(
    plain('text', longText),
    plain('varchar', longText),
    plain('citext', longText),
    plain(
      'varchar(20)',
      text.map((one) => [...one].slice(0, 20).join('')),
    ),
    plain(
      'char(7)',
      text.map((one) => [...one].slice(0, 7).join('')),
    ),
    plain('name', label),
    plain('smallint', whole(16)),
    plain('integer', whole(32)),
    plain('bigint', whole(64)),
    plain('oid', fc.nat().map(String)),
    plain('boolean', fc.constantFrom('true', 'false')),
    plain('date', day, 'day'),
    plain('timestamp', moment, 'moment'),
    plain('timestamptz', moment, 'moment'),
    plain('timestamptz(2)', moment, 'moment'),
    plain('time', clock),
    plain(
      'timetz',
      clock.map((at) => `${at}+05:45`),
    ),
    plain(
      'interval',
      fc
        .tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -99_999, max: 99_999 }), clock)
        .map(([m, d, t]) => `${m} mons ${d} days ${t}`),
    ),
    plain('numeric(12,3)', fc.oneof(digits(9, 3), fc.constant('NaN')), 'number'),
    plain('numeric(38,10)', digits(28, 10), 'number'),
    plain('numeric(60,20)', digits(40, 20), 'number'),
    plain('numeric', fc.oneof(digits(12, 4), fc.constantFrom(...SPECIAL)), 'number'),
    plain('numeric', fc.oneof(digits(50, 9), fc.constantFrom('1e300', '1e-300')), 'number'),
    plain('money', digits(12, 2), 'number'),
    plain('real', single, 'float'),
    plain('double precision', double, 'float'),
    plain('json', wildJson, 'json'),
    plain('jsonb', json, 'json'),
    plain('text[]', array(text), 'json'),
    plain('integer[]', array(whole(32)), 'json'),
    plain('timestamptz[]', array(moment), 'json'),
    plain('double precision[]', array(double), 'json'),
    plain('bytea', hex, 'bytes'),
    plain('uuid', fc.uuid()),
    plain('inet', fc.oneof(fc.ipV4(), fc.ipV6())),
    plain('cidr', fc.ipV4()),
    plain('macaddr', fc.constant('08:00:2b:01:02:03')),
    plain('bit(5)', bits(5, 5)),
    plain('varbit', bits(0, 12)),
    plain('point', fc.constantFrom('(0,0)', '(-2.5,1e-300)')),
    plain('tsvector', fc.constantFrom("'a':1A 'it''s':5", '')),
    plain('int4range', fc.constantFrom('[1,10)', 'empty', '(,)')),
    plain('tstzrange', fc.constantFrom('["2024-01-01 00:00:00+05",)', '(,infinity)')),
    plain('hstore', fc.constantFrom('', '"a"=>"1", "b"=>NULL, "ü \\""=>""'), 'json'),
  ),
  fc.uniqueArray(label, { minLength: 2, maxLength: 4 }).map(
    (labels): Kind => ({
      type: '%',
      meaning: 'text',
      values: fc.constantFrom(...labels),
      create: `CREATE TYPE % AS ENUM (${labels.map((one) => `'${one.replaceAll("'", "''")}'`).join(', ')})`,
    }),
  ),
  fc.constant<Kind>({
    type: '%',
    meaning: 'text',
    values: text,
    create: "CREATE DOMAIN % AS text CHECK (value <> 'never')",
  }),
  fc.constant<Kind>({
    type: '%',
    meaning: 'json',
    values: text.map((one) => `(1,${quoted(one)})`),
    create: 'CREATE TYPE % AS (number int, word text)',
  }),
);

const column = fc
  .tuple(name, KINDS, fc.option(text), fc.nat(40))
  .chain(([columnName, { values, ...kind }, fallback, treat]) =>
    fc.array(fc.option(values, { freq: 6 }), { minLength: VALUES, maxLength: VALUES }).map(
      (all): GeneratedColumn => ({
        name: columnName,
        ...kind,
        values: all,
        ...(fallback !== null && kind.type === 'text' ? { default: fallback } : {}),
        ...(treat < 3 ? { treat: (['exclude', 'sha256', 'null'] as const)[treat] } : {}),
      }),
    ),
  );

const policies: fc.Arbitrary<GeneratedTable['policies']> = fc.record({
  oversizeText: fc.constantFrom('truncate', 'null'),
  outOfRangeTime: fc.constantFrom('clamp', 'null'),
  oversizeDocument: fc.constant('null'),
  numericOverflow: fc.constant('null'),
});

/** A table with so many columns of different names. */
export const table = (columns: number): fc.Arbitrary<GeneratedTable> =>
  fc
    .record({
      name,
      key: name,
      stamped: fc.boolean(),
      columns: fc.uniqueArray(column, { selector: (one) => one.name, minLength: columns, maxLength: columns }),
      policies,
    })
    .filter(
      (one) => one.columns.every((c) => c.name !== one.key && c.name !== 'updated_at') && one.key !== 'updated_at',
    );
