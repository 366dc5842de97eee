import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { resolve, type Scope } from './intrinsics.ts';
import { namings, type PhysicalNames, physicalNames } from './physical-names.ts';

export interface Resource {
  logicalId: string;
  type: string;
  /** The physical name, e.g. the table's. */
  name: string;
  arn: string;
  /** Everything resolved; parse it before use. */
  properties: Record<string, unknown>;
}

export interface Stack {
  name: string;
  resources: Resource[];
  /** The resources of these types, in the template's order. */
  of(...types: string[]): Resource[];
  outputs: Record<string, string>;
  /**
   * The folder of the assembly behind an object key such as `<hash>.zip`.
   * @throws `AssetMissing`
   */
  asset(objectKey: string): string;
}

const Manifest = z.object({
  artifacts: z.record(
    z.string(),
    z.object({ type: z.string(), properties: z.record(z.string(), z.unknown()).default({}) }),
  ),
});
const Template = z.object({
  Parameters: z.record(z.string(), z.object({ Type: z.string(), Default: z.unknown().optional() })).default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Condition: z.string().optional(),
      Properties: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown(), Condition: z.string().optional() })).default({}),
});
type Template = z.infer<typeof Template>;
const Assets = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string().optional() }),
      destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
    }),
  ),
});

/**
 * Reads a synthesized CDK assembly (`cdk.out`) of one stack and resolves its template as CloudFormation would.
 *
 * @throws `AssemblyUnreadable`, `UnsupportedResource`, `UnsupportedIntrinsic`, `ParameterMissing`
 */
export function readAssembly(dir: string, parameters: Record<string, string> = {}): Stack {
  const manifest = Manifest.parse(readJson(dir, 'manifest.json'));
  const stacks = Object.entries(manifest.artifacts).filter(([, { type }]) => type === 'aws:cloudformation:stack');
  const [artifact, ...others] = stacks;
  if (artifact === undefined || others.length > 0) {
    throw new Error(`AssemblyUnreadable: ${dir} holds ${stacks.length} stacks – synthesize exactly one`);
  }
  const [id, { properties }] = artifact;
  const name = typeof properties.stackName === 'string' ? properties.stackName : id;
  const template = Template.parse(readJson(dir, String(properties.templateFile)));
  const { resources, outputs } = resolveTemplate(name, template, parameters);
  return {
    name,
    resources,
    outputs,
    of: (...types) => resources.filter(({ type }) => types.includes(type)),
    asset: assetsOf(dir),
  };
}

function resolveTemplate(stackName: string, template: Template, parameters: Record<string, string>) {
  const named = new Map<string, PhysicalNames>();
  const scope: Scope = {
    stackName,
    mappings: template.Mappings,
    condition: (name) => {
      if (!(name in template.Conditions)) throw new Error(`UnsupportedIntrinsic: there is no condition ${name}`);
      return resolve(template.Conditions[name], scope) === true;
    },
    ref: (name) => {
      const parameter = template.Parameters[name];
      if (parameter === undefined) return namesOf(name).ref;
      const value = parameters[name] ?? parameter.Default;
      if (value === undefined)
        throw new Error(`ParameterMissing: the stack's parameter ${name} has no default – give it`);
      const isList = parameter.Type === 'CommaDelimitedList' || parameter.Type.startsWith('List<');
      return isList && typeof value === 'string' ? value.split(',').map((entry) => entry.trim()) : value;
    },
    attribute: (name, attribute) => {
      const value = namesOf(name).attributes[attribute];
      if (value !== undefined) return value;
      throw new Error(
        `UnsupportedIntrinsic: attribute ${attribute} of ${name} (${template.Resources[name]?.Type}) is not known`,
      );
    },
  };
  const exists = (condition: string | undefined) => condition === undefined || scope.condition(condition);
  const namesOf = (logicalId: string): PhysicalNames => {
    const known = named.get(logicalId);
    if (known !== undefined) return known;
    const resource = template.Resources[logicalId];
    if (resource === undefined || !exists(resource.Condition)) {
      throw new Error(`UnsupportedIntrinsic: the template refers to ${logicalId}, which doesn't exist`);
    }
    const property = namings[resource.Type]?.property;
    const given = property === undefined ? undefined : resolve(resource.Properties[property], scope);
    const names = physicalNames(resource.Type, given, stackName, logicalId);
    named.set(logicalId, names);
    return names;
  };

  const resources: Resource[] = [];
  for (const [logicalId, { Type: type, Condition, Properties }] of Object.entries(template.Resources)) {
    if (!exists(Condition)) continue;
    const { name, arn } = namesOf(logicalId);
    const properties = resolve(Properties, scope) as Record<string, unknown>;
    resources.push({ logicalId, type, name, arn, properties });
  }
  const outputs: Record<string, string> = {};
  for (const [key, { Value, Condition }] of Object.entries(template.Outputs)) {
    if (exists(Condition)) outputs[key] = String(resolve(Value, scope));
  }
  return { resources, outputs };
}

function assetsOf(dir: string): Stack['asset'] {
  const folders = new Map<string, string>();
  for (const file of readdirSync(dir).filter((entry) => entry.endsWith('.assets.json'))) {
    for (const { source, destinations } of Object.values(Assets.parse(readJson(dir, file)).files)) {
      if (source.path === undefined) continue;
      for (const { objectKey } of Object.values(destinations)) folders.set(objectKey, join(dir, source.path));
    }
  }
  return (objectKey) => {
    const folder = folders.get(objectKey);
    if (folder === undefined)
      throw new Error(`AssetMissing: no *.assets.json in ${dir} names ${objectKey} – synthesize again`);
    return folder;
  };
}

function readJson(dir: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(join(dir, file), 'utf8'));
  } catch (error) {
    throw new Error(`AssemblyUnreadable: ${join(dir, file)}: ${error} – synthesize again`);
  }
}
