import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Validations } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { AwsSolutionsChecks } from 'cdk-nag';
import { parseSettings } from '../../infra/settings.ts';
import { RedshiftLoader } from '../../infra/stack.ts';
import { EVERYTHING, newApp } from './fixture.ts';

const ROOT = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'redshift-loader-offline-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Runs a command as somebody without credentials, without a home folder's configuration and without network. */
function offline(
  command: string,
  args: string[],
): Promise<{ code: number | null; output: string; connections: string }> {
  const used = join(dir, 'network-used');
  const env = {
    PATH: `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
    HOME: dir,
    CDK_HOME: join(dir, 'cdk'),
    AWS_EC2_METADATA_DISABLED: 'true',
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'no-network.mjs'))}`,
    NETWORK_USED: used,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, output, connections: existsSync(used) ? readFileSync(used, 'utf8') : '' });
    });
  });
}

test('the guard against the network catches what tries to use it', async () => {
  const { code, connections } = await offline('node', ['-e', "fetch('http://192.0.2.1/')"]);
  assert.notEqual(code, 0);
  assert.match(connections, /192\.0\.2\.1/);
  rmSync(join(dir, 'network-used'));
});

test('npx cdk synth works as it is checked out: no settings, no credentials, no network; all rules pass', async () => {
  const out = join(dir, 'cdk.out');
  const { code, output, connections } = await offline('npx', [
    'cdk',
    'synth',
    '--no-notices',
    '--quiet',
    '--output',
    out,
  ]);
  assert.equal(code, 0, output);
  assert.equal(connections, '');
  assert.doesNotMatch(output, /\b(ERROR|WARNING)\b/);
  assert.deepEqual(
    readdirSync(out).filter((name) => name.endsWith('.template.json')),
    ['RedshiftLoader.template.json'],
  );
  assert.ok(readdirSync(out).filter((name) => name.startsWith('asset.')).length >= 8, 'every function has its bundle');
});

/** Synthesizes what infra/app.ts does, with all settings, and what else a test adds. */
function synth(change: (stack: RedshiftLoader) => void = () => undefined): string {
  const app = newApp();
  const stack = new RedshiftLoader(app, 'RedshiftLoader', parseSettings(EVERYTHING));
  change(stack);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app.synth().directory;
}

test("with every setting the template passes CloudFormation's rules and cdk-nag's AwsSolutions", () => {
  assert.ok(existsSync(join(synth(), 'RedshiftLoader.template.json')));
});

test('a wildcard that nobody accepted fails the synth, in a new role and in one of ours', (t) => {
  t.mock.method(console, 'error', () => undefined);
  const wildcard = new PolicyStatement({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::somebody/*'] });
  const inNewRole = (stack: RedshiftLoader) =>
    new Role(stack, 'New', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') }).addToPolicy(wildcard);
  const inOurs = (stack: RedshiftLoader) => {
    const role = stack.node.findAll().find((one) => one instanceof Role && one.node.id === 'WarehouseRole');
    assert.ok(role instanceof Role);
    role.addToPolicy(wildcard);
  };
  for (const add of [inNewRole, inOurs]) assert.throws(() => synth(add), /Validation failed/);
});

test('a value that CloudFormation would refuse fails the synth', (t) => {
  t.mock.method(console, 'error', () => undefined);
  const tooLong = (stack: RedshiftLoader) => {
    const found = stack.node.findAll().find((one) => one instanceof CfnFunction);
    assert.ok(found instanceof CfnFunction);
    found.timeout = 901;
  };
  assert.throws(() => synth(tooLong), /Validation failed/);
});
