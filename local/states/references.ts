import { compile } from './expression.ts';

/** What one expression refers to, read from JSONata's syntax tree. */
export interface References {
  /** Variables and functions that the expression uses without defining them itself; without `$`. */
  names: Set<string>;
  /** Paths below `$states` that it names, e.g. `['context', 'Map', 'Item']`. */
  states: string[][];
  /** Operators that JSONata 2.0.6 lacks, on which Step Functions is based, though the installed version has them. */
  newerOperators: Set<string>;
}

type Node = Record<string, unknown>;
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** Every object in the tree, itself included. */
function* nodes(root: unknown, seen = new Set<unknown>()): Generator<Node> {
  if (!isNode(root) || seen.has(root)) return;
  seen.add(root);
  yield root;
  for (const child of Object.values(root)) yield* nodes(child, seen);
}

function definedNames(tree: Node[]): Set<string> {
  const names = new Set<string>();
  const add = (value: unknown): void => {
    if (typeof value === 'string') names.add(value);
  };
  for (const node of tree) {
    if (node.type === 'bind' && isNode(node.lhs)) add(node.lhs.value);
    if (node.type === 'lambda' && Array.isArray(node.arguments)) for (const a of node.arguments) add(a.value);
    add(node.focus);
    add(node.index);
    if (node.type === 'index') add(node.value);
  }
  return names;
}

/** Both are sugar for a conditional, and the tree shows only that: its condition is its `then`, or an `$exists` never written. */
function newerOperator(node: Node): string | undefined {
  if (node.type !== 'condition' || !isNode(node.condition)) return undefined;
  const { type, procedure } = node.condition;
  if (type === 'function' && isNode(procedure) && procedure.value === 'exists' && procedure.position === undefined) {
    return '??';
  }
  return JSON.stringify(node.condition) === JSON.stringify(node.then) ? '?:' : undefined;
}

/** Reads what the expression `{% … %}` refers to. @throws Error where it is not valid JSONata */
export function references(text: string): References {
  const tree = [...nodes(compile(text).ast())];
  const defined = definedNames(tree);
  const found: References = { names: new Set(), states: [], newerOperators: new Set() };
  for (const node of tree) {
    const operator = newerOperator(node);
    if (operator) found.newerOperators.add(operator);
    if (node.type === 'variable' && typeof node.value === 'string' && node.value !== '' && node.value !== '$') {
      if (!defined.has(node.value)) found.names.add(node.value);
    }
    const [first, ...rest] = Array.isArray(node.steps) ? node.steps.filter(isNode) : [];
    if (first?.type === 'variable' && first.value === 'states') {
      const end = rest.findIndex((step) => step.type !== 'name');
      found.states.push((end < 0 ? rest : rest.slice(0, end)).map((step) => String(step.value)));
    }
  }
  return found;
}
