import type { PgType } from '../model/catalog.ts';
import { type MapOptions, mapType } from './types.ts';

/** One line of the page: a type as people write it, and as the catalog has it. */
interface Entry {
  written: string;
  type: PgType;
  options?: MapOptions;
}

const entry = (written: string, name: string, typmod = -1, options?: MapOptions): Entry => ({
  written,
  type: { name, schema: 'pg_catalog', kind: 'base', typmod, declared: written },
  options,
});

const ofKind = (written: string, kind: PgType['kind']): Entry => ({
  written,
  type: { name: 'any', schema: 'public', kind, typmod: -1, declared: written },
});

const ofExtension = (written: string, name: string): Entry => ({
  written,
  type: { name, schema: 'public', kind: 'base', typmod: -1, declared: written },
});

const digits = (precision: number, scale: number): number => ((precision << 16) | (scale & 0x7ff)) + 4;
const plain = (...names: string[]): Entry[] => names.map((name) => entry(name, name));

const SECTIONS: { title: string; entries: Entry[] }[] = [
  {
    title: 'Numbers',
    entries: [
      entry('smallint', 'int2'),
      entry('integer, serial', 'int4'),
      entry('bigint, bigserial', 'int8'),
      entry('numeric(12,2)', 'numeric', digits(12, 2)),
      entry('numeric(19,4)', 'numeric', digits(19, 4)),
      entry('numeric(3,-2)', 'numeric', digits(3, -2)),
      entry('numeric(3,5)', 'numeric', digits(3, 5)),
      entry('numeric(50,2)', 'numeric', digits(50, 2)),
      entry('numeric', 'numeric'),
      entry('numeric, profiled as (10,2)', 'numeric', -1, { numericDigits: { precision: 10, scale: 2 } }),
      entry('money', 'money'),
      entry('real', 'float4'),
      entry('double precision', 'float8'),
      ...plain('oid', 'xid', 'cid', 'xid8'),
    ],
  },
  {
    title: 'Text',
    entries: [
      entry('varchar(20)', 'varchar', 24),
      entry('varchar(20000)', 'varchar', 20004),
      entry('varchar', 'varchar'),
      entry('text', 'text'),
      entry('char(10)', 'bpchar', 14),
      ...plain('"char"').map((one) => ({ ...one, type: { ...one.type, name: 'char' } })),
      ...plain('name', 'uuid', 'xml', 'tsvector', 'tsquery', 'jsonpath'),
      entry('bit(8)', 'bit', 8),
      entry('bit varying(64)', 'varbit', 64),
      ofKind('an enum', 'enum'),
      ofExtension('citext', 'citext'),
    ],
  },
  {
    title: 'Dates and times',
    entries: [
      entry('date', 'date'),
      entry('timestamp', 'timestamp'),
      entry('timestamp with time zone', 'timestamptz'),
      entry('time', 'time'),
      entry('time with time zone', 'timetz'),
      entry('interval', 'interval'),
    ],
  },
  {
    title: 'Documents and structures',
    entries: [
      ...plain('json', 'jsonb'),
      ofKind('an array', 'array'),
      ofKind('a composite type', 'composite'),
      ofExtension('hstore', 'hstore'),
      ofKind('a range', 'range'),
      ofKind('a multirange', 'multirange'),
    ],
  },
  {
    title: 'The rest',
    entries: [
      entry('boolean', 'bool'),
      ...plain('bytea', 'inet', 'cidr', 'macaddr', 'macaddr8', 'pg_lsn', 'tid', 'pg_snapshot', 'txid_snapshot'),
      ...plain('point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'),
      ...plain('int2vector', 'oidvector', 'aclitem', 'refcursor'),
      entry('regclass and the other reg… types', 'regclass'),
      ofExtension('geometry (PostGIS)', 'geometry'),
      ofExtension('geography (PostGIS)', 'geography'),
      ofExtension('vector, halfvec, sparsevec (pgvector)', 'vector'),
      ofExtension('any other type', 'any'),
    ],
  },
];

const COMPARED = { text: 'text', json: 'by value, as JSON', float: 'by value, as floating-point number' };
/** A | ends a cell even between backticks. */
const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${cell(text)}\``;

const row = ({ written, type, options }: Entry): string => {
  const mapping = mapType(type, options);
  const cells = [
    cell(written),
    code(mapping.type),
    code(mapping.select('c')),
    COMPARED[mapping.compare],
    mapping.concerns.map(({ policy }) => code(policy)).join(', '),
    cell(mapping.note ?? ''),
  ];
  return `| ${cells.join(' | ')} |`;
};

/** docs/types.md as it should be, made from the mapping itself. */
export const typesPage = (): string => {
  const sections = SECTIONS.map(({ title, entries }) =>
    [
      `## ${title}`,
      '',
      '| Postgres | Redshift | what is loaded of a column c | compared as | policies | to know |',
      '|---|---|---|---|---|---|',
      ...entries.map(row),
    ].join('\n'),
  );
  return `<!-- Made from shared/sql/types.ts: node shared/sql/types-page.ts > docs/types.md -->
# How Postgres types become Redshift types

Every column is loaded as the text that its expression gives in Postgres; Redshift's COPY reads it. Domains are
followed to their base type. The rules behind the tables:

- **Nothing is changed without a word.** Where Redshift can't hold each of a type's values, a policy says what becomes of the
  others ([values.md](values.md)): they stop their table and are named, or are changed, counted and listed.
- **VARCHAR counts bytes**, hence four for each character of \`varchar(n)\`, and 65,535 where there is no limit.
- **Generated and identity columns** are copied as the plain values that they have.
- **Only key columns are NOT NULL**, and no key is declared: Redshift has no DROP NOT NULL, and a declared key could not be widened.
- **An empty text is not NULL**: textual columns are always quoted, and NULL is a random marker of each batch.

${sections.join('\n\n')}
`;
};

if (import.meta.main) process.stdout.write(typesPage());
