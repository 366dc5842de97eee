import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSettings } from '../../infra/settings.ts';
import { CLUSTER, EVERYTHING, SOURCE, templateOf, WORKGROUP } from './fixture.ts';

const refused = (settings: unknown, ...words: RegExp[]): void => {
  for (const word of words) assert.throws(() => parseSettings(settings), word);
};

test('without settings there are sensible ones; every setting can be given as -c settings=… gives it', () => {
  assert.deepEqual(parseSettings(undefined), { destinations: [], logRetentionDays: 30 });
  assert.equal(parseSettings(JSON.stringify(EVERYTHING)).destinations.length, 3);
});

test('text that is no JSON is said to be none', () => {
  refused('{destinations:', /-c settings=… is no JSON/);
});

test('a key that nobody knows is named', () => {
  refused({ destination: [] }, /"destination"/, /cdk\.json/);
  refused({ source: { ...SOURCE, subnets: [] } }, /"subnets"/, /source/);
});

test('an ARN that is none of a workgroup or a cluster is named, with what one looks like', () => {
  const arns = ['reports', 'arn:aws:s3:::reports', 'arn:aws:redshift:eu-west-1:111111111111:namespace:1234'];
  for (const arn of arns)
    refused({ destinations: [CLUSTER, { ...CLUSTER, name: 'b', arn }] }, /destinations\[1\]\.arn/, /cluster:NAME/);
});

test('a workgroup without its name is refused, since its ARN holds an id instead', () => {
  const { workgroupName: _, ...unnamed } = WORKGROUP;
  refused({ destinations: [unnamed] }, /destinations\[0\]\.workgroupName/, /give the workgroup's name/);
});

test('two destinations of one name are refused', () => {
  refused({ destinations: [CLUSTER, { ...WORKGROUP, name: CLUSTER.name }] }, /destinations/, /two of one name/);
});

test("more destinations than a function's environment holds are refused here rather than by Lambda", () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ ...WORKGROUP, name: `reports-${i}` }));
  refused({ destinations: many }, /destinations/, /more than fit a function's environment/);
});

test('ids, zones, the mail address and the retention are checked by name', () => {
  refused({ source: { ...SOURCE, vpcId: 'main' } }, /source\.vpcId/, /vpc-0123/);
  refused({ source: { ...SOURCE, subnetIds: [] } }, /source\.subnetIds/);
  refused({ alarmEmail: 'on-call' }, /alarmEmail/);
  refused({ logRetentionDays: 31 }, /logRetentionDays/);
});

test('the outputs hold the commands and GRANTs that a person still has to run, for each destination', () => {
  const outputs = templateOf(EVERYTHING).findOutputs('*');
  const value = (id: string): string => JSON.stringify(outputs[id]?.Value ?? `no ${id}`);
  assert.match(
    value('AttachReports'),
    /aws redshift-serverless update-namespace .*--iam-roles .*EVERY_ROLE_IT_HAS_NOW/,
  );
  assert.match(
    value('AttachOrdersHistory'),
    /aws redshift modify-cluster-iam-roles --cluster-identifier orders-1 --add-iam-roles .*CopyRole/,
  );
  const user = '"IAMR:redshift-loader-warehouse"';
  assert.equal(
    outputs.GrantReports?.Value,
    `CREATE SCHEMA IF NOT EXISTS "shop"; CREATE USER ${user} PASSWORD DISABLE; GRANT USAGE, CREATE ON SCHEMA "shop" TO ${user}; GRANT TEMPORARY ON DATABASE "analytics" TO ${user};`,
  );
  assert.ok(outputs.GrantOrdersHistory);
  // Whoever gives a secret has a database user already.
  assert.equal(outputs.GrantBySecret, undefined);
  assert.match(value('SourceGrants'), /GRANT SELECT ON ALL TABLES.*GRANT pg_read_all_stats/);
  for (const id of ['ConfigTable', 'StageBucket', 'SetupJobArn', 'LoadJobArn', 'LoadTableArn', 'CopyRoleArn'])
    assert.ok(outputs[id], id);
});
