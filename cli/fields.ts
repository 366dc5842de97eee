import { InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';

/** A field of an operation's input, as the command line has it. */
export interface Field {
  name: string;
  /** `--row-limit` of rowLimit. */
  flag: string;
  description: string;
  required: boolean;
  kind: (typeof KINDS)[keyof typeof KINDS] | 'json';
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

/** What help calls by what it is: what stands without a flag, and what has to be typed once more. */
const ARGUMENTS: Record<string, string> = {
  jobId: 'job',
  runId: 'run',
  setupId: 'setup',
  verifyId: 'verification',
  confirm: 'job',
};

export const argumentOf = (name: string): string => ARGUMENTS[name] ?? name;

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
  /** What a map's values are. */
  additionalProperties: z.unknown().optional(),
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
      kind: either.some(nests) ? 'json' : KINDS[types.find((type) => type !== 'null') ?? 'string'],
      nullable: types.includes('null'),
      choices: either.flatMap((one) => one.enum),
      fallback: property.default,
    };
  });
}

/** A map of maps is written as JSON. */
const nests = ({ additionalProperties }: z.infer<typeof Property>): boolean =>
  Property.safeParse(additionalProperties).data?.type.includes('object') ?? false;

/** A field as commander's options: a flag has one to take it back. */
export function optionsOf(field: Field): Option[] {
  const { name, flag, kind, description, fallback, choices, nullable, required } = field;
  const shown = /^(\{\}|\[\]|"")?$/.test(JSON.stringify(fallback) ?? '')
    ? ''
    : ` (default: ${[fallback].flat().join(',')})`;
  const text = `${description}${nullable && !description.includes('null') ? '; none takes it away' : ''}`;
  const described = `${text.replace(/\bnull\b/g, 'none')}${choices.length > 0 ? `: ${choices.join(', ')}` : ''}${shown}`;
  if (kind === 'flag')
    return [new Option(flag, described), new Option(flag.replace('--', '--no-'), `the opposite of ${flag}`)];
  const byKind = { text: '<text>', number: '<n>', list: '<a,b>', map: '<a=b,c=d>', json: '<json>' }[kind];
  const value = name in ARGUMENTS ? `<${argumentOf(name)}>` : byKind;
  const option = new Option(`${flag} ${value}`, described).argParser((typed) => typedValue(field, typed));
  return [option.makeOptionMandatory(required)];
}

/** What an option stands for that takes a setting away: commander would make a null, which the operation takes, an empty text. */
const NONE = Symbol('none');

/** An option's value, as the operation takes it. */
export const givenValue = (value: unknown): unknown => (value === NONE ? null : value);

/**
 * What was typed, as the operation takes it, but for NONE. What is no number stays a text: the operation says what is wrong with it.
 * @throws InvalidArgumentError where it can't be read at all
 */
export function typedValue({ kind, nullable }: Pick<Field, 'kind' | 'nullable'>, typed: string): unknown {
  if (nullable && typed === 'none') return NONE;
  if (kind === 'number') return /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
  if (kind === 'json' || (kind === 'map' && typed.trimStart().startsWith('{'))) return parsed(typed);
  if (kind === 'map') return Object.fromEntries(listed(typed).map(pair));
  if (kind === 'list') return listed(typed);
  return typed;
}

const listed = (typed: string): string[] => typed.split(',').flatMap((part) => part.trim() || []);

function pair(part: string): [string, string] {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(part) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('Write name=value, several with commas, or JSON.');
  return [name, value];
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new InvalidArgumentError(`Write JSON, such as {"name": …} (${(error as Error).message}).`);
  }
}
