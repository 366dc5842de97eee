import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAssembly } from '../../local/template.ts';

/** Reads an assembly of one stack with this template. */
function read(template: Record<string, unknown>, parameters: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-assembly-'));
  try {
    const artifacts = { Shop: { type: 'aws:cloudformation:stack', properties: { templateFile: 't.json' } } };
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ artifacts }));
    writeFileSync(join(dir, 't.json'), JSON.stringify({ Resources: {}, ...template }));
    return readAssembly(dir, parameters);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const table = { Type: 'AWS::DynamoDB::Table', Properties: { TableName: 'config' } };
const output = (Value: unknown, template: Record<string, unknown> = {}, parameters: Record<string, string> = {}) =>
  read({ Resources: { Table: table }, ...template, Outputs: { X: { Value } } }, parameters).outputs.X;

/** `${name}`, as Fn::Sub writes it. */
const v = (name: string) => `\${${name}}`;

const values: [unknown, string][] = [
  [{ Ref: 'Table' }, 'config'],
  [{ 'Fn::GetAtt': ['Table', 'Arn'] }, 'arn:aws:dynamodb:us-east-1:000000000000:table/config'],
  [{ 'Fn::GetAtt': 'Table.Arn' }, 'arn:aws:dynamodb:us-east-1:000000000000:table/config'],
  [{ 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }, { Ref: 'AWS::AccountId' }]] }, 'a-us-east-1-000000000000'],
  [
    { 'Fn::Sub': [v('AWS::StackName'), v('Table'), v('Table.Arn'), v('!Literal')].join(' ') },
    `Shop config arn:aws:dynamodb:us-east-1:000000000000:table/config ${v('Literal')}`,
  ],
  [{ 'Fn::Sub': [`${v('a')}.${v('AWS::URLSuffix')}`, { a: { Ref: 'AWS::Partition' } }] }, 'aws.amazonaws.com'],
  [{ 'Fn::Select': ['1', { 'Fn::Split': ['/', 'x/y/z'] }] }, 'y'],
  [{ 'Fn::Base64': 'hi' }, 'aGk='],
];
for (const [value, expected] of values) {
  test(`${JSON.stringify(value)} becomes ${expected}`, () => assert.equal(output(value), expected));
}

test('conditions choose values and resources, mappings are looked up, and NoValue takes a property away', () => {
  const stack = read(
    {
      Parameters: { Stage: { Type: 'String', Default: 'dev' } },
      Mappings: { Size: { prod: { memory: 1024 } } },
      Conditions: {
        IsProd: { 'Fn::And': [{ 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] }, { 'Fn::Not': [{ Condition: 'Never' }] }] },
        Never: { 'Fn::Or': [] },
      },
      Resources: {
        Table: table,
        Kept: {
          Type: 'AWS::S3::Bucket',
          Condition: 'IsProd',
          Properties: { A: { 'Fn::If': ['IsProd', 'yes', 'no'] }, B: { Ref: 'AWS::NoValue' } },
        },
        Left: { Type: 'AWS::S3::Bucket', Condition: 'Never' },
      },
      Outputs: {
        Memory: { Value: { 'Fn::FindInMap': ['Size', { Ref: 'Stage' }, 'memory'] } },
        Left: { Value: 'x', Condition: 'Never' },
      },
    },
    { Stage: 'prod' },
  );
  assert.deepEqual(
    stack.resources.map(({ logicalId }) => logicalId),
    ['Table', 'Kept'],
  );
  assert.deepEqual(stack.of('AWS::S3::Bucket')[0]?.properties, { A: 'yes' });
  assert.deepEqual(stack.outputs, { Memory: '1024' });
});

test('a name that the template does not give is made of stack and id, always the same, and fits the service', () => {
  const Resources = { Bucket: { Type: 'AWS::S3::Bucket' }, ['F'.repeat(200)]: { Type: 'AWS::Lambda::Function' } };
  const [bucket, fn] = read({ Resources }).resources;
  assert.match(bucket?.name ?? '', /^shop-bucket-[a-z2-7]{12}$/);
  assert.equal(fn?.name.length, 64);
  assert.equal(read({ Resources }).resources[0]?.name, bucket?.name);
});

const refused: [string, Record<string, unknown>, RegExp][] = [
  [
    'a resource of an unknown type',
    { Resources: { X: { Type: 'AWS::Neptune::DBCluster' } } },
    /UnsupportedResource: X is a AWS::Neptune::DBCluster/,
  ],
  [
    'an unknown function',
    { Outputs: { X: { Value: { 'Fn::ImportValue': 'a' } } } },
    /UnsupportedIntrinsic: Fn::ImportValue/,
  ],
  [
    'a dynamic reference',
    { Outputs: { X: { Value: '{{resolve:ssm:a}}' } } },
    /UnsupportedIntrinsic: the dynamic reference/,
  ],
  ['a reference to nothing', { Outputs: { X: { Value: { Ref: 'Nobody' } } } }, /UnsupportedIntrinsic: .*Nobody/],
  [
    'an unknown attribute',
    { Outputs: { X: { Value: { 'Fn::GetAtt': ['Table', 'Colour'] } } } },
    /attribute Colour of Table/,
  ],
  [
    'a parameter without value',
    { Parameters: { P: { Type: 'String' } }, Outputs: { X: { Value: { Ref: 'P' } } } },
    /ParameterMissing: .*P/,
  ],
];
for (const [what, template, error] of refused) {
  test(`${what} is refused by name`, () =>
    assert.throws(() => read({ Resources: { Table: table }, ...template }), error));
}
