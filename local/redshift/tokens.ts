import { DialectError, syntaxError } from './dialect-error.ts';

/** One lexical piece of a statement. `text` is the source text; `value` what it means (folded name, unescaped string). */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol' | 'end';
  text: string;
  value: string;
  start: number;
}

const SYMBOLS = [
  '::',
  '<<',
  '>>',
  '<=',
  '>=',
  '<>',
  '!=',
  '||',
  '!~~*',
  '!~~',
  '~~*',
  '~~',
  '!~*',
  '!~',
  '~*',
  '->>',
  '->',
  '#>>',
];
const WORD = /[A-Za-z_\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*/uy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const SPACE = /(?:\s+|--[^\n]*(?:\n|$))+/y;
const TEMP_NAME = /#[A-Za-z_]\w*/y;

/**
 * Splits one statement into tokens, ending with an `end` token. Redshift's lexical rules: names fold to lower case even
 * when quoted (DG "Names and identifiers"), `''` is a quote in a string, and so is `\'`.
 * @throws DialectError on an unterminated string, name or comment, and on dollar quotes and E'' strings.
 */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  const push = (kind: Token['kind'], text: string, value = text) => {
    tokens.push({ kind, text, value, start: at });
    at += text.length;
  };
  while (at < sql.length) {
    const space = match(SPACE);
    if (space) {
      at += space.length;
      continue;
    }
    if (sql.startsWith('/*', at)) {
      at = endOfComment(sql, at);
      continue;
    }
    const char = sql.charAt(at);
    const word = match(WORD);
    if (word && /^[ebxun]$/i.test(word) && sql.charAt(at + 1) === "'") throw syntaxError(sql.slice(at, at + 12));
    if (word) push('word', word, foldName(word));
    else if (char === '"') push(...quotedName(sql, at));
    else if (char === "'") push('string', ...quotedString(sql, at));
    else if (char === '$') throw syntaxError('$');
    else if (match(NUMBER)) push('number', match(NUMBER) ?? '');
    else if (char === '#' && match(TEMP_NAME)) push('word', match(TEMP_NAME) ?? '', match(TEMP_NAME)?.toLowerCase());
    else if (char === ':' && /[A-Za-z_]/.test(sql.charAt(at + 1))) {
      const name = /:\w+/y;
      push('parameter', match(name) ?? '', match(name)?.slice(1));
    } else push('symbol', SYMBOLS.find((symbol) => sql.startsWith(symbol, at)) ?? char);
  }
  tokens.push({ kind: 'end', text: '', value: '', start: sql.length });
  return tokens;
}

/** Only ASCII letters fold: Redshift keeps multibyte letters as they are written. */
function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function endOfComment(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth++;
      at++;
    } else if (sql.startsWith('*/', at)) {
      at++;
      if (--depth === 0) return at + 1;
    }
  }
  throw new DialectError('unterminated /* comment');
}

function quotedName(sql: string, start: number): ['quoted', string, string] {
  const match = /"((?:[^"]|"")*)"/y;
  match.lastIndex = start;
  const found = match.exec(sql);
  if (!found) throw new DialectError('unterminated quoted identifier');
  if (found[1] === '') throw new DialectError('zero-length delimited identifier');
  return ['quoted', found[0], foldName((found[1] ?? '').replaceAll('""', '"'))];
}

function quotedString(sql: string, start: number): [string, string] {
  const match = /'((?:[^'\\]|''|\\.)*)'/sy;
  match.lastIndex = start;
  const found = match.exec(sql);
  if (!found) throw new DialectError('unterminated quoted string');
  // [U] what Redshift makes of other escapes: they stay as they are written, which is what `NULL AS '\N'` needs.
  return [found[0], (found[1] ?? '').replace(/''|\\'|\\\\/g, (pair) => pair.charAt(1))];
}
