/**
 * Values that loaders like to get wrong, one idea a row.
 * @param now ISO 8601; the rows count as changed an hour before
 */
export const fillHardValues = (now: string) => `
INSERT INTO "Hard Values" (what, words, short, exact, anyhow, big, ratio, single, flag, bytes, uid, day, clock, moment, doc, updated_at)
SELECT v.*, timestamptz '${now}' - interval '1 hour' FROM (VALUES
${hardValues.join(',\n')}
) v`;

const NIL = 'NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL';

/** A row that says something about text only. */
const text = (what: string, words: string, short = 'NULL') =>
  `('${what}',${words},${short},${NIL.split(',').slice(2).join(',')})`;

const hardValues = [
  // The first row gives the columns of VALUES their types.
  `('ordinary', 'plain text'::text, 'short'::varchar, 1234.5::numeric(38,10), 0.1::numeric, 42::bigint, 0.1::float8, 0.1::float4, true, '\\x00ff10'::bytea,
  '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid, date '2024-02-29', time '12:34:56.789012', timestamptz '2024-03-31 01:30:00.123456+00', '{"a": 1}'::jsonb)`,
  `('nothing but NULL',${NIL})`,
  text('empty is not NULL', "''", "''"),
  text('blanks', "'   '", "' leading and trailing '"),
  text('quotes', `'"double" ''single'' "" '''' "'`, `'"'`),
  text('line ends', "E'a\\nb\\r\\nc\\rd'", "E'\\n'"),
  text('tabs and controls', "E'a\\tb\\x01\\x1f\\x7f'", "E'\\t'"),
  text('backslashes', `'C:\\temp\\new \\\\ \\" \\'`, `'\\'`),
  text('what COPY takes for NULL', "'\\N'", "'NULL'"),
  text('what COPY takes for the end', "'\\.'", "E'\\n\\\\.\\n'"),
  text('commas and pipes', "',a,|b|,'", "','"),
  text('emoji', "'👩‍👩‍👧‍👦 🏴‍☠️ 🇺🇦'", "'🎉'"),
  text('scripts', "'Ελληνικά Русский עברית عربى हिन्दी ไทย 漢字 かな 한글'", "'ǅ ﬁ ß İ ı'"),
  text('one letter, two spellings', "U&'\\00e9 e\\0301'", "U&'\\212b \\00c5'"),
  text('invisible', "U&'\\feff\\200b\\00a0\\2028\\202e'", "U&'\\200d'"),
  text('beyond the basic plane', "U&'\\+01F600\\+10FFFD'", "U&'\\+020000'"),
  text('looks like markup', "'<b>&amp;</b> %s $1 ; DROP TABLE x; --'", "'=1+1'"),
  text('looks like JSON', `'{"a": [1, "x"]}'`, `'[null]'`),
  text('numbers as text', "'007'", "'1e3'"),
  text('long', "repeat('äöü€', 5000)", "repeat('€', 40)"),
  `('largest',NULL,NULL,9999999999999999999999999999.9999999999,99999999999999999999999999999999999999,9223372036854775807,1.7976931348623157e308,3.4028235e38,true,
  decode(repeat('ff', 3000), 'hex'),'ffffffff-ffff-ffff-ffff-ffffffffffff','9999-12-31','23:59:59.999999','9999-12-31 23:59:59.999999+00','{"max": 9007199254740993}')`,
  `('smallest',NULL,NULL,-9999999999999999999999999999.9999999999,-0.00000000000000000001,-9223372036854775808,2.2250738585072014e-308,1.1754944e-38,false,
  '\\x','00000000-0000-0000-0000-000000000000','0001-01-01','00:00','0001-01-01 00:00:00+00','{}')`,
  `('barely not zero',NULL,NULL,0.0000000001,0.10,0,1e-17,1e-7,false,'\\x00','00000000-0000-0000-0000-000000000001','1970-01-01','00:00:00.000001','1970-01-01 00:00:00.000001+00','[]')`,
  `('seventeen digits',NULL,NULL,0.1,3.14159265358979323846264338327950288,1,0.30000000000000004,16777216,NULL,NULL,NULL,'1900-02-28','23:59:59','1969-12-31 23:59:59.999999+00','{"pi": 3.141592653589793, "tiny": 1e-9}')`,
  `('zeros',NULL,NULL,-0.0,0.00,-1,'-0','-0',NULL,E'\\\\x5c6e',NULL,'2000-01-01','00:00:01','2000-01-01 00:00:00+14','[0, 0.0, -0]')`,
  `('deep document',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"ключ": {"": [[[{"q\\"": "line\\nend"}]]]}, "emoji": "🎉", "null": null}')`,
  `('a bare word in a document',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'"just text, with \\"quotes\\""')`,
];
