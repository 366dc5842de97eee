import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stack } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { buildSync } from 'esbuild';

const FUNCTIONS = fileURLToPath(new URL('../functions', import.meta.url));

/** Bundled functions, until they are disposed of: by then the assembly has its copies. */
export interface Bundles extends Disposable {
  codeOf(name: string): Code;
}

/**
 * Bundles functions, each into a file of its own, by one run of esbuild, which reads once what they share. NodejsFunction
 * starts it for each, by npx: with a dozen of them a synth took half a minute of CPU.
 */
export function bundle(scope: Construct, names: string[]): Bundles {
  // As NodejsFunction has it: who only wants the template, as `cdk list` does, waits for no bundle.
  if (!Stack.of(scope).bundlingRequired) return { codeOf: () => Code.fromAsset(FUNCTIONS), [Symbol.dispose]() {} };
  const outdir = mkdtempSync(join(tmpdir(), 'redshift-loader-bundles-'));
  buildSync({
    entryPoints: names.map((name) => ({ in: join(FUNCTIONS, `${name}.ts`), out: `${name}/index` })),
    outdir,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    minify: true,
    // An error's name is API: state machines retry by it.
    keepNames: true,
    // Of a package that has both, the module: what isn't used of it stays out, and a cold start has half as much to read.
    mainFields: ['module', 'main'],
    // The SDK is bundled: the runtime's own copy may lack newer parameters.
    external: ['pg-native'],
    logLevel: 'warning',
  });
  return {
    codeOf: (name) => Code.fromAsset(join(outdir, name)),
    [Symbol.dispose]: () => rmSync(outdir, { recursive: true }),
  };
}
