import * as z from 'zod';

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const conditionValues = z
  .union([z.string(), z.boolean(), z.number(), z.array(z.union([z.string(), z.boolean(), z.number()]))])
  .transform((value) => [value].flat().map(String));

const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMore.optional(),
  NotAction: oneOrMore.optional(),
  Resource: oneOrMore.optional(),
  NotResource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), conditionValues)).default({}),
  Principal: z.union([z.literal('*'), z.record(z.string(), oneOrMore)]).optional(),
});
export type Statement = z.infer<typeof Statement>;

const PolicyDocument = z.object({
  Statement: z.union([Statement.transform((one) => [one]), z.array(Statement)]),
});

/** @throws ZodError on a statement that IAM's grammar doesn't have */
export function statementsOf(document: unknown): Statement[] {
  return PolicyDocument.parse(document).Statement;
}

/** Values of condition keys at the time of a call, e.g. `{ 'dynamodb:LeadingKeys': ['job#1'] }`. */
export type ConditionKeys = Record<string, string | string[]>;

/** IAM's wildcards: `*` is any text, `?` any one character. */
export function matches(pattern: string, value: string): boolean {
  if (pattern === '*' || pattern === value) return true;
  if (!/[*?]/.test(pattern)) return false;
  return wildcard(pattern).test(value);
}

const compiled = new Map<string, RegExp>();

function wildcard(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]');
  const made = new RegExp(`^${escaped}$`);
  compiled.set(pattern, made);
  return made;
}

/** Replaces policy variables such as `${aws:userid}`; `${*}`, `${?}` and `${$}` stand for themselves. */
function withVariables(text: string, keys: ConditionKeys): string | undefined {
  let known = true;
  const replaced = text.replace(/\$\{([^}]+)\}/g, (_whole, name: string) => {
    if (name.length === 1) return name;
    const value = keys[name];
    if (typeof value === 'string') return value;
    known = false;
    return '';
  });
  return known ? replaced : undefined;
}

/** Does this statement speak about that action on that resource, under those conditions? */
export function applies(statement: Statement, action: string, resource: string, keys: ConditionKeys): boolean {
  const named = (patterns: string[]) => patterns.some((p) => matches(p.toLowerCase(), action.toLowerCase()));
  const covered = (patterns: string[]) =>
    patterns.some((p) => {
      const pattern = withVariables(p, keys);
      return pattern !== undefined && matches(pattern, resource);
    });
  if (statement.Action !== undefined && !named(statement.Action)) return false;
  if (statement.NotAction !== undefined && named(statement.NotAction)) return false;
  if (statement.Resource !== undefined && !covered(statement.Resource)) return false;
  if (statement.NotResource !== undefined && covered(statement.NotResource)) return false;
  return meets(statement.Condition, keys);
}

/** Condition keys that a call may carry. A key outside of this list is a mistake or unknown here: refused, not ignored. */
const knownKeys =
  /^(aws:(SecureTransport|Source(Account|Arn)|PrincipalAccount|PrincipalArn|ResourceAccount|RequestedRegion|userid|TagKeys|(Resource|Request)Tag\/.+)|secretsmanager:(ResourceTag\/.+|Name|SecretId|VersionStage)|dynamodb:(LeadingKeys|Attributes|Select|ReturnValues)|redshift-data:(statement-owner-iam-userid|.+)|iam:PassedToService|s3:(prefix|delimiter|ResourceAccount)|kms:ViaService|ec2:.+|scheduler:.+|states:.+|lambda:FunctionArn|cloudwatch:namespace)$/i;

/** @throws `UnknownConditionKey`, `UnknownConditionOperator` */
export function meets(conditions: Statement['Condition'], keys: ConditionKeys): boolean {
  const lowered = new Map(Object.entries(keys).map(([key, value]) => [key.toLowerCase(), [value].flat()]));
  return Object.entries(conditions).every(([operator, tests]) =>
    Object.entries(tests).every(([key, patterns]) => {
      if (!knownKeys.test(key)) throw new Error(`UnknownConditionKey: ${key} is not known to the local cloud`);
      const wanted = patterns.map((pattern) => withVariables(pattern, keys)).filter((p) => p !== undefined);
      return test(operator, lowered.get(key.toLowerCase()), wanted);
    }),
  );
}

function test(operator: string, values: string[] | undefined, patterns: string[]): boolean {
  const [, quantifier, name = operator, ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?(.+?)(IfExists)?$/.exec(operator) ?? [];
  if (name === 'Null') return patterns.some((pattern) => (pattern === 'true') === (values === undefined));
  const { compare, negated } = comparison(name);
  if (values === undefined || values.length === 0) {
    return ifExists !== undefined || quantifier === 'ForAllValues' || (negated && quantifier === undefined);
  }
  const holds = (value: string) => patterns.some((pattern) => compare(pattern, value)) !== negated;
  return quantifier === 'ForAllValues' ? values.every(holds) : values.some(holds);
}

function comparison(name: string): { compare(pattern: string, value: string): boolean; negated: boolean } {
  const negated = name.includes('Not');
  switch (name.replace('Not', '')) {
    case 'StringEquals':
    case 'NumericEquals':
      return { negated, compare: (pattern, value) => pattern === value };
    case 'Bool':
    case 'StringEqualsIgnoreCase':
      return { negated, compare: (pattern, value) => pattern.toLowerCase() === value.toLowerCase() };
    case 'StringLike':
    case 'ArnLike':
    case 'ArnEquals':
      return { negated, compare: matches };
    default:
      throw new Error(`UnknownConditionOperator: ${name} is not known to the local cloud`);
  }
}
