import { Option } from 'commander';
import * as z from 'zod';

/** A field of an operation's input, as the command line has it. */
export interface Field {
  name: string;
  /** `--row-limit` of rowLimit. */
  flag: string;
  description: string;
  required: boolean;
  kind: (typeof KINDS)[keyof typeof KINDS];
  nullable: boolean;
  choices: string[];
  fallback: unknown;
}

/** Fields that have shorter or plainer names here. */
const FLAGS: Record<string, string> = {
  frequency: '--every',
  secretArn: '--secret',
  connectionString: '--connection-string-stdin',
};

export const flagOf = (name: string): string =>
  FLAGS[name] ?? `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const KINDS = {
  string: 'text',
  null: 'text',
  integer: 'number',
  number: 'number',
  boolean: 'flag',
  array: 'list',
  object: 'map',
} as const;
const Type = z.enum(Object.keys(KINDS) as (keyof typeof KINDS)[]);
const Property = z.object({
  type: z
    .union([Type, z.array(Type)])
    .default('string')
    .transform((types) => [types].flat()),
  description: z.string().default(''),
  enum: z.array(z.string()).default([]),
  default: z.unknown().optional(),
});
/** As much of a JSON schema as operations' inputs have. */
const Properties = z.object({
  properties: z.record(z.string(), Property.extend({ anyOf: z.array(Property).default([]) })),
  required: z.array(z.string()).default([]),
});

/** What an operation takes, read from its schema: nothing is said twice. */
export function fieldsOf(input: z.ZodType): Field[] {
  const { properties, required } = Properties.parse(z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }));
  return Object.entries(properties).map(([name, property]) => {
    const either = property.anyOf.length > 0 ? property.anyOf : [property];
    const types = either.flatMap(({ type }) => type);
    return {
      name,
      flag: flagOf(name),
      description: property.description,
      required: required.includes(name),
      kind: KINDS[types.find((type) => type !== 'null') ?? 'string'],
      nullable: types.includes('null'),
      choices: either.flatMap((one) => one.enum),
      fallback: property.default,
    };
  });
}

/** A field as commander's options: a flag has one to take it back. */
export function optionsOf({ flag, kind, description, fallback, choices, nullable, required }: Field): Option[] {
  const shown = /^(\{\}|\[\]|"")?$/.test(JSON.stringify(fallback) ?? '')
    ? ''
    : ` (default: ${[fallback].flat().join(',')})`;
  const text = `${description}${nullable && !description.includes('null') ? '; none takes it away' : ''}`;
  const described = `${text.replace(/\bnull\b/g, 'none')}${choices.length > 0 ? `: ${choices.join(', ')}` : ''}${shown}`;
  if (kind === 'flag')
    return [new Option(flag, described), new Option(flag.replace('--', '--no-'), `the opposite of ${flag}`)];
  const value = { text: '<text>', number: '<n>', list: '<a,b>', map: '<a=b,c=d>' }[kind];
  return [new Option(`${flag} ${value}`, described).makeOptionMandatory(required)];
}

/** What was typed, as the operation takes it. What is no number stays a text: the operation says what is wrong with it. */
export function typedValue({ kind, nullable }: Pick<Field, 'kind' | 'nullable'>, typed: string | boolean): unknown {
  if (typeof typed === 'boolean') return typed;
  if (nullable && typed === 'none') return null;
  if (kind === 'number') return /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
  // What nests is written as JSON.
  if (kind === 'map' && typed.trimStart().startsWith('{')) return parsed(typed);
  if (kind === 'map') return Object.fromEntries(typed.split(',').map((part) => part.trim().split('=', 2)));
  if (kind === 'list') return typed.split(',').flatMap((part) => part.trim() || []);
  return typed;
}

/** @returns the text itself where it is no JSON: the operation says what is wrong with it */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
