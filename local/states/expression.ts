import jsonata from 'jsonata';
import { StateError } from './errors.ts';
import { stepFunctionsBuiltins } from './functions.ts';
import { MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_MS } from './limits.ts';

/** What an expression sees: `$states` and the variables in scope, by name. */
export interface Bindings {
  states: Record<string, unknown>;
  variables: Record<string, unknown>;
}

const compiled = new Map<string, jsonata.Expression>();

/** Is this string an expression, i.e. written as `{% … %}` without blanks outside? */
export const isExpression = (text: string): boolean => text.startsWith('{%') && text.endsWith('%}') && text.length >= 4;

/**
 * The compiled form of `{% … %}`; each text is compiled once in the life of the process.
 * @throws Error with JSONata's own message where the text is not valid JSONata
 */
export function compile(text: string): jsonata.Expression {
  let expression = compiled.get(text);
  if (!expression) {
    expression = jsonata(text.slice(2, -2), { timeout: MAX_EXPRESSION_MS, stack: MAX_EXPRESSION_DEPTH });
    compiled.set(text, expression);
  }
  return expression;
}

/** Calls visit with every expression in a JSON value. */
export function eachExpression(template: unknown, visit: (text: string) => void): void {
  if (typeof template === 'string') {
    if (isExpression(template)) visit(template);
  } else if (typeof template === 'object' && template !== null) {
    for (const value of Object.values(template)) eachExpression(value, visit);
  }
}

function evaluationError(cause: string, location: string): StateError {
  return new StateError(
    'States.QueryEvaluationError',
    `The field ${location} could not be evaluated: ${cause}`,
    location,
  );
}

/** JSONata's result as JSON: its sequences become plain arrays, and what JSON cannot say is an error. */
function asJson(value: unknown, text: string, location: string): unknown {
  if (value === undefined) {
    throw evaluationError(`the JSONata expression '${text}' returned nothing (undefined)`, location);
  }
  const json = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'function' || (typeof part === 'number' && !Number.isFinite(part))) {
      throw evaluationError(`the JSONata expression '${text}' returned what JSON cannot hold`, location);
    }
    // A JSONata lambda is an object that marks itself so.
    if (typeof part === 'object' && part !== null && '_jsonata_lambda' in part) {
      throw evaluationError(`the JSONata expression '${text}' returned a function`, location);
    }
    return part;
  });
  return JSON.parse(json);
}

async function evaluateExpression(text: string, bindings: Bindings, location: string): Promise<unknown> {
  let value: unknown;
  try {
    value = await compile(text).evaluate(undefined, {
      ...bindings.variables,
      ...stepFunctionsBuiltins,
      states: bindings.states,
    });
  } catch (error) {
    throw evaluationError(`the JSONata expression '${text}' failed: ${(error as Error).message}`, location);
  }
  return asJson(value, text, location);
}

/**
 * A JSON value with every `{% … %}` in it, however deep, replaced by what it evaluates to.
 * @param location the field's name, for the error
 * @throws StateError States.QueryEvaluationError where an expression fails or returns nothing
 */
export async function evaluate(template: unknown, bindings: Bindings, location: string): Promise<unknown> {
  if (typeof template === 'string') {
    return isExpression(template) ? evaluateExpression(template, bindings, location) : template;
  }
  if (Array.isArray(template)) {
    return Promise.all(template.map((value, i) => evaluate(value, bindings, `${location}[${i}]`)));
  }
  if (typeof template === 'object' && template !== null) {
    const entries = Object.entries(template).map(
      async ([key, value]) => [key, await evaluate(value, bindings, `${location}/${key}`)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }
  return template;
}

/**
 * A field that must be a number, e.g. TimeoutSeconds.
 * @throws StateError States.QueryEvaluationError where it is not an integer from least to most
 */
export async function evaluateInteger(
  template: unknown,
  bindings: Bindings,
  location: string,
  range: { least: number; most: number },
): Promise<number> {
  const value = await evaluate(template, bindings, location);
  if (typeof value !== 'number' || !Number.isInteger(value) || value < range.least || value > range.most) {
    const text = JSON.stringify(value);
    throw evaluationError(`it must be an integer from ${range.least} to ${range.most}, not ${text}`, location);
  }
  return value;
}

/** A field that must be a string, e.g. Cause. */
export async function evaluateString(template: unknown, bindings: Bindings, location: string): Promise<string> {
  const value = await evaluate(template, bindings, location);
  if (typeof value !== 'string') throw evaluationError(`it must be a string, not ${JSON.stringify(value)}`, location);
  return value;
}
