import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../shared/core/canonical-json.ts';

const same: [string, string][] = [
  ['1', '1.0'],
  ['100', '1e2'],
  ['100', '1E+2'],
  ['100', '10000e-2'],
  ['0.5', '5e-1'],
  ['0', '-0.00e7'],
  ['12345678901234567890.10', '12345678901234567890.1'],
  ['1e400', '10e399'],
  ['{"a":1,"b":[true,false,null]}', ' { "b" : [ true , false , null ] ,\n\t"a" : 1.0 }\r\n'],
  ['{"a":2}', '{"a":1,"a":2}'],
  ['{"é/":"\\n"}', '{"\\u00e9\\/":"\\u000a"}'],
  ['"🎉"', '"\\ud83c\\udf89"'],
  ['[[],{}]', '[ [ ] , { } ]'],
];
for (const [left, right] of same) {
  test(`${left} and ${JSON.stringify(right)} have one spelling`, () => {
    assert.equal(canonicalJson(left), canonicalJson(right));
  });
}

const different: [string, string][] = [
  ['9007199254740992', '9007199254740993'],
  ['0.1', '0.10000000000000000001'],
  ['1e400', '1e401'],
  ['1', '-1'],
  ['1', '"1"'],
  ['null', '"null"'],
  ['[1,2]', '[12]'],
  ['[[1],2]', '[1,[2]]'],
  ['{"a":{"b":1}}', '{"a":{},"b":1}'],
  ['{"a":null}', '{}'],
  ['{}', '[]'],
  ['""', 'null'],
  ['"a\\",\\"b"', '["a","b"]'],
  ['"\\u0041"', '"\\\\u0041"'],
];
for (const [left, right] of different) {
  test(`${left} and ${right} differ`, () => assert.notEqual(canonicalJson(left), canonicalJson(right)));
}

for (const text of ['', '{', '[1,]', '{"a"}', '{a:1}', '1 2', '"x', 'nul', '[1}', '-', '1.', '.5', '{"a":1,}']) {
  test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => canonicalJson(text), SyntaxError));
}

test('what JSON.parse takes for equal values has one spelling, whatever the order of names and the spaces', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = canonicalJson(JSON.stringify(value));
      assert.equal(canonicalJson(JSON.stringify(reversed(value), null, 2)), plain);
      // Its own spelling is JSON of the same value, and stays as it is.
      assert.equal(canonicalJson(plain), plain);
      assert.deepEqual(JSON.parse(plain), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('values that JSON.parse tells apart have two spellings', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
      const differ = canonicalJson(JSON.stringify(left)) !== canonicalJson(JSON.stringify(right));
      try {
        assert.deepEqual(JSON.parse(JSON.stringify(left)), JSON.parse(JSON.stringify(right)));
      } catch {
        assert.ok(differ);
      }
    }),
  );
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}
