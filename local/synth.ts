import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** All that the template and its bundles are made from. */
const INPUTS = ['infra', 'functions', 'shared', 'cdk.json', 'package-lock.json'];
const CACHE = join(ROOT, 'node_modules', '.cache', 'redshift-loader');
const KEPT_ASSEMBLIES = 5;
/** cfn-lint's rules say nothing to a template that is only run here, and take a third of the time; synth and deploy ask them. */
const WITHOUT_RULES = { '@aws-cdk/core:validateAgainstDefaultRules': false };

/**
 * Synthesizes the CDK app as `npx cdk synth` does, by the very command in cdk.json, and returns the assembly's folder; cfn-lint's rules are left out.
 * What was synthesized from the same files and settings before is used again.
 *
 * @throws Error with what the app printed: a setting that is wrong, a rule of cdk-nag that is broken
 */
export async function synthesize(settings: object): Promise<string> {
  const { app, context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { app: string; context: object };
  const full = JSON.stringify({ ...context, ...WITHOUT_RULES, settings });
  const dir = join(CACHE, hashOf(full));
  if (existsSync(join(dir, 'manifest.json'))) return dir;

  mkdirSync(CACHE, { recursive: true });
  const outdir = `${dir}.${process.pid}`;
  const { code, output } = await run(app, {
    ...process.env,
    CDK_OUTDIR: outdir,
    CDK_CONTEXT_JSON: full,
    // aws-cdk-lib keeps its cache in the home folder unless told otherwise.
    CDK_HOME: join(CACHE, 'home'),
    PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`,
  });
  if (code !== 0) {
    rmSync(outdir, { recursive: true, force: true });
    throw new Error(`SynthFailed: the CDK app did not synthesize:\n${output}`);
  }
  // Another process may have been as fast: both made the same.
  if (existsSync(dir)) rmSync(outdir, { recursive: true });
  else renameSync(outdir, dir);
  forgetOld();
  return dir;
}

/** What an assembly is known by: the context, and every file that it is made from. */
export function hashOf(context: string, root = ROOT): string {
  const hash = createHash('sha256').update(context);
  const add = (path: string): void => {
    const full = join(root, path);
    if (statSync(full).isDirectory()) for (const entry of readdirSync(full).sort()) add(join(path, entry));
    else hash.update(path).update('\0').update(readFileSync(full)).update('\0');
  };
  for (const input of INPUTS) add(input);
  return hash.digest('hex').slice(0, 24);
}

function forgetOld(): void {
  const age = (name: string) => statSync(join(CACHE, name)).mtimeMs;
  const assemblies = readdirSync(CACHE).filter((name) => /^[0-9a-f]{24}$/.test(name));
  for (const name of assemblies.sort((a, b) => age(b) - age(a)).slice(KEPT_ASSEMBLIES))
    rmSync(join(CACHE, name), { recursive: true, force: true });
}

function run(command: string, env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, { cwd: ROOT, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
