import type { State, Workflow } from './definition.ts';
import { eachExpression, isExpression } from './expression.ts';
import { FUNCTION_NAMES } from './functions.ts';
import { type References, references } from './references.ts';
import { checkArguments, parseResource } from './resource.ts';

/** What `$states` holds besides input and context, by where the expression stands. */
const STATES_FIELDS = ['input', 'context', 'result', 'errorOutput'];
const CONTEXT_FIELDS = ['Execution', 'State', 'StateMachine', 'Map'];

interface Site {
  /** Where the expression stands, for the error. */
  where: string;
  /** `result` in Assign and Output of Task, Map and Parallel; `errorOutput` in a Catch; `item` in ItemSelector. */
  has: 'result' | 'errorOutput' | 'item' | undefined;
}

type Problem = (where: string, what: string) => void;

function checkStatesPath(path: string[], site: Site): string | undefined {
  const [field, member] = path;
  if (field === undefined) return undefined;
  if (!STATES_FIELDS.includes(field)) return `$states has no field ${field}, only ${STATES_FIELDS.join(', ')}`;
  if ((field === 'result' || field === 'errorOutput') && site.has !== field) {
    return `$states.${field} is not accessible here`;
  }
  if (field !== 'context' || member === undefined) return undefined;
  if (!CONTEXT_FIELDS.includes(member)) return `$states.context has no ${member}, only ${CONTEXT_FIELDS.join(', ')}`;
  if (member === 'Map' && site.has !== 'item') {
    return '$states.context.Map is available in ItemSelector only: pass what the iteration needs from there';
  }
  return undefined;
}

function checkExpression(text: string, site: Site, inScope: ReadonlySet<string>, problem: Problem): void {
  let found: References;
  try {
    found = references(text);
  } catch (error) {
    problem(site.where, `'${text}' is not valid JSONata: ${(error as Error).message}`);
    return;
  }
  for (const name of found.names) {
    if (name === 'eval') problem(site.where, '$eval is not available in Step Functions: use $parse');
    else if (name !== 'states' && !FUNCTION_NAMES.has(name) && !inScope.has(name)) {
      problem(site.where, `no state in scope assigns the variable $${name}`);
    }
  }
  for (const operator of found.newerOperators) {
    problem(site.where, `the operator ${operator} came after JSONata 2.0.6: write the conditional out`);
  }
  for (const path of found.states) {
    const wrong = checkStatesPath(path, site);
    if (wrong) problem(site.where, wrong);
  }
}

/** Strings that open or close an expression but are none: AWS refuses them, too. */
function checkDelimiters(template: unknown, where: string, problem: Problem): void {
  if (typeof template === 'string') {
    if (!isExpression(template) && (template.trim().startsWith('{%') || template.trim().endsWith('%}'))) {
      problem(
        where,
        `'${template}' is not an expression: {% and %} must enclose the whole string without blanks outside`,
      );
    }
  } else if (typeof template === 'object' && template !== null) {
    for (const value of Object.values(template)) checkDelimiters(value, where, problem);
  }
}

/** A state's own fields with the expressions in them; nested workflows are left to their own scope. */
function* fields(state: State, where: string): Generator<{ template: unknown; site: Site }> {
  const worker = state.Type === 'Task' || state.Type === 'Map' || state.Type === 'Parallel';
  for (const [field, template] of Object.entries(state)) {
    if (['Type', 'Comment', 'Branches', 'ItemProcessor', 'Catch', 'Choices', 'Retry'].includes(field)) continue;
    const leaving = field === 'Assign' || field === 'Output';
    const has = field === 'ItemSelector' ? 'item' : worker && leaving ? 'result' : undefined;
    yield { template, site: { where: `${where}/${field}`, has } };
  }
  const inner = state.Type === 'Choice' ? state.Choices : worker ? (state.Catch ?? []) : [];
  for (const [i, rule] of inner.entries()) {
    const list = worker ? 'Catch' : 'Choices';
    const { Comment: _, ...templates } = rule;
    yield { template: templates, site: { where: `${where}/${list}[${i}]`, has: worker ? 'errorOutput' : undefined } };
  }
}

/** The states that this one may lead to within its workflow. */
export function targets(state: State): string[] {
  const next = 'Next' in state && state.Next !== undefined ? [state.Next] : [];
  if (state.Type === 'Choice') {
    return [...state.Choices.map((rule) => rule.Next), ...(state.Default === undefined ? [] : [state.Default])];
  }
  return 'Catch' in state ? [...next, ...(state.Catch ?? []).map((handler) => handler.Next)] : next;
}

function assignedNames(workflow: Workflow): Set<string> {
  const names = new Set<string>();
  for (const state of Object.values(workflow.States)) {
    const rules = state.Type === 'Choice' ? state.Choices : 'Catch' in state ? (state.Catch ?? []) : [];
    for (const part of [state, ...rules]) {
      if ('Assign' in part) for (const name of Object.keys(part.Assign ?? {})) names.add(name);
    }
  }
  return names;
}

function checkTransitions(workflow: Workflow, where: string, problem: Problem): void {
  if (!workflow.States[workflow.StartAt]) problem(where, `StartAt names no state: ${workflow.StartAt}`);
  const reached = new Set<string>([workflow.StartAt]);
  for (const name of reached) {
    const state = workflow.States[name];
    for (const next of state ? targets(state) : []) reached.add(next);
  }
  for (const [name, state] of Object.entries(workflow.States)) {
    const at = `${where}/${name}`;
    for (const next of targets(state)) if (!workflow.States[next]) problem(at, `Next names no state: ${next}`);
    if (!reached.has(name)) problem(at, 'no transition leads to this state');
    if ('Next' in state || 'End' in state) {
      if ((state.Next === undefined) === (state.End !== true)) problem(at, 'needs exactly one of Next and "End": true');
    } else if (state.Type !== 'Succeed' && state.Type !== 'Fail' && state.Type !== 'Choice') {
      problem(at, 'needs Next or "End": true');
    }
  }
}

/**
 * Checks what a schema cannot see: transitions, resources, expressions, and variables by scope. `problem` is called for
 * each finding.
 * @param outer variables that enclosing workflows assign: readable here, but not assignable ("Variable scope" in the
 *   Developer Guide: an inner scope cannot assign a name that an outer scope assigns)
 */
export function checkWorkflow(workflow: Workflow, where: string, outer: ReadonlySet<string>, problem: Problem): void {
  checkTransitions(workflow, where, problem);
  const own = assignedNames(workflow);
  for (const name of own) {
    if (outer.has(name)) problem(where, `an outer workflow assigns the variable ${name} already: choose another name`);
    if (name === 'states') problem(where, 'the variable name states is reserved');
  }
  const inScope = new Set([...outer, ...own]);
  for (const [name, state] of Object.entries(workflow.States)) {
    const at = `${where}/${name}`;
    for (const { template, site } of fields(state, at)) {
      checkDelimiters(template, site.where, problem);
      eachExpression(template, (text) => checkExpression(text, site, inScope, problem));
    }
    if (state.Type === 'Map') checkWorkflow(state.ItemProcessor, `${at}/ItemProcessor`, inScope, problem);
    if (state.Type === 'Parallel') {
      for (const [i, branch] of state.Branches.entries())
        checkWorkflow(branch, `${at}/Branches[${i}]`, inScope, problem);
    }
    if (state.Type === 'Task') {
      try {
        checkArguments(parseResource(state.Resource).kind, state.Arguments);
      } catch (error) {
        problem(at, (error as Error).message);
      }
    }
  }
}
