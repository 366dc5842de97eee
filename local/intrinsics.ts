import { ACCOUNT, REGION } from './identity.ts';

/** What a template's functions look things up in. */
export interface Scope {
  stackName: string;
  /** Value of `{ Ref: name }` to a parameter or resource; throws by name if there is none. */
  ref(name: string): unknown;
  /** Value of `{ 'Fn::GetAtt': [name, attribute] }`; throws by name if the attribute is unknown. */
  attribute(name: string, attribute: string): unknown;
  condition(name: string): boolean;
  mappings: Record<string, Record<string, Record<string, unknown>>>;
}

/** `{ Ref: 'AWS::NoValue' }` takes away the property or list entry that it stands in. */
const NO_VALUE = Symbol('AWS::NoValue');

/**
 * A value of the template with every intrinsic function resolved, as CloudFormation would hand it to a service.
 *
 * @throws `UnsupportedIntrinsic` with the function's name
 */
export function resolve(value: unknown, scope: Scope): unknown {
  const resolved = resolveValue(value, scope);
  return resolved === NO_VALUE ? undefined : resolved;
}

function resolveValue(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string' && value.includes('{{resolve:')) {
    throw new Error(`UnsupportedIntrinsic: the dynamic reference ${value} can't be resolved on this machine`);
  }
  if (Array.isArray(value)) return value.map((entry) => resolveValue(entry, scope)).filter((v) => v !== NO_VALUE);
  if (!isRecord(value)) return value;
  const [key, ...more] = Object.keys(value);
  if (key !== undefined && more.length === 0) {
    if (key === 'Ref') return resolveRef(String(value.Ref), scope);
    if (key === 'Condition' && typeof value.Condition === 'string') return scope.condition(value.Condition);
    if (key.startsWith('Fn::')) return call(key, value[key], scope);
  }
  const entries = Object.entries(value).map(([name, inner]) => [name, resolveValue(inner, scope)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== NO_VALUE));
}

function resolveRef(name: string, scope: Scope): unknown {
  switch (name) {
    case 'AWS::NoValue':
      return NO_VALUE;
    case 'AWS::Region':
      return REGION;
    case 'AWS::AccountId':
      return ACCOUNT;
    case 'AWS::Partition':
      return 'aws';
    case 'AWS::URLSuffix':
      return 'amazonaws.com';
    case 'AWS::StackName':
      return scope.stackName;
    case 'AWS::StackId':
      return `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${scope.stackName}/00000000-0000-0000-0000-000000000000`;
    case 'AWS::NotificationARNs':
      return [];
    default:
      return scope.ref(name);
  }
}

function call(name: string, argument: unknown, scope: Scope): unknown {
  const lazy = name === 'Fn::If' ? argument : undefined;
  if (Array.isArray(lazy)) return resolveValue(scope.condition(String(lazy[0])) ? lazy[1] : lazy[2], scope);
  if (name === 'Fn::Sub') return substitute(argument, scope);

  const input = resolveValue(argument, scope);
  const list = Array.isArray(input) ? input : [];
  switch (name) {
    case 'Fn::GetAtt': {
      const [resource, ...path] = Array.isArray(input) ? input.map(String) : String(input).split('.');
      return scope.attribute(resource ?? '', path.join('.'));
    }
    case 'Fn::Join':
      return asList(list[1], name).map(asText).join(asText(list[0]));
    case 'Fn::Split':
      return asText(list[1]).split(asText(list[0]));
    case 'Fn::Select': {
      const chosen = asList(list[1], name)[Number(list[0])];
      if (chosen === undefined) throw new Error(`UnsupportedIntrinsic: Fn::Select finds no entry ${list[0]}`);
      return chosen;
    }
    case 'Fn::FindInMap': {
      const found = scope.mappings[asText(list[0])]?.[asText(list[1])]?.[asText(list[2])];
      if (found === undefined)
        throw new Error(`UnsupportedIntrinsic: Fn::FindInMap finds nothing at ${list.join('.')}`);
      return found;
    }
    case 'Fn::Base64':
      return Buffer.from(asText(input)).toString('base64');
    case 'Fn::GetAZs':
      return ['a', 'b', 'c'].map((zone) => `${REGION}${zone}`);
    case 'Fn::Equals':
      return asText(list[0]) === asText(list[1]);
    case 'Fn::Not':
      return list[0] !== true;
    case 'Fn::And':
      return list.every((entry) => entry === true);
    case 'Fn::Or':
      return list.some((entry) => entry === true);
    default:
      throw new Error(
        `UnsupportedIntrinsic: ${name} can't be resolved on this machine – add it to local/intrinsics.ts`,
      );
  }
}

function substitute(argument: unknown, scope: Scope): string {
  const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
  return asText(template).replace(/\$\{([^}]+)\}/g, (_whole, name: string) => {
    if (name.startsWith('!')) return `\${${name.slice(1)}}`;
    if (isRecord(variables) && name in variables) return asText(resolveValue(variables[name], scope));
    const dot = name.indexOf('.');
    return asText(dot < 0 ? resolveRef(name, scope) : scope.attribute(name.slice(0, dot), name.slice(dot + 1)));
  });
}

function asText(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`UnsupportedIntrinsic: a text was expected, not ${JSON.stringify(value) ?? 'nothing'}`);
}

function asList(value: unknown, name: string): unknown[] {
  if (Array.isArray(value)) return value;
  // A parameter of type CommaDelimitedList arrives as one text.
  if (typeof value === 'string') return value.split(',');
  throw new Error(`UnsupportedIntrinsic: ${name} needs a list`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
