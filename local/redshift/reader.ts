import { syntaxError } from './dialect-error.ts';
import { foldedName, quoteName, RESERVED } from './names.ts';
import { postgresString } from './strings.ts';
import { type Token, tokenize } from './tokens.ts';

/** A table or view name as Postgres should see it; `schema` undefined means "by search path". */
export interface RelationName {
  schema: string | undefined;
  name: string;
}

/**
 * Reads a statement token by token and writes its Postgres translation on the way: `take*` copies to the output,
 * `skip*` does not. Recognisers are functions over a Reader, so what no recogniser takes is refused.
 */
export class Reader {
  private readonly tokens: Token[];
  private at = 0;
  /** Translated pieces; a recogniser may splice behind an index it noted before. */
  readonly out: string[] = [];

  /** @param parameters values that stand for `:name`; they take part as string literals */
  constructor(sql: string, parameters: Record<string, string> = {}) {
    this.tokens = tokenize(sql).map((token) => {
      const value = token.kind === 'parameter' ? parameters[token.value] : undefined;
      return value === undefined ? token : { ...token, kind: 'string', value };
    });
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as Token;
  }

  /** True when the next words are these (unquoted, any case). Several words: `'is not null'`. */
  sees(words: string): boolean {
    return words.split(' ').every((word, ahead) => {
      const token = this.peek(ahead);
      return (token.kind === 'word' || token.kind === 'symbol') && token.value === word;
    });
  }

  seesAny(...alternatives: string[]): string | undefined {
    return alternatives.find((words) => this.sees(words));
  }

  skip(words: string): boolean {
    if (!this.sees(words)) return false;
    this.at += words.split(' ').length;
    return true;
  }

  take(words: string): boolean {
    if (!this.skip(words)) return false;
    this.out.push(words);
    return true;
  }

  expect(words: string): void {
    if (!this.skip(words)) throw this.unexpected(words);
  }

  expectTaking(words: string): void {
    if (!this.take(words)) throw this.unexpected(words);
  }

  /** Names the first of the words that isn't there. */
  private unexpected(words: string): Error {
    const ahead = words.split(' ').findIndex((word, at) => this.peek(at).value !== word);
    return syntaxError(this.peek(Math.max(ahead, 0)).text);
  }

  next(): Token {
    const token = this.peek();
    if (token.kind === 'end') throw this.error();
    this.at++;
    return token;
  }

  write(text: string): void {
    this.out.push(text);
  }

  error(): Error {
    return syntaxError(this.peek().text);
  }

  end(): void {
    this.skip(';');
    if (this.peek().kind !== 'end') throw this.error();
  }

  /** An identifier, folded; an unquoted reserved word is refused as Redshift does. */
  name(): string {
    const token = this.peek();
    if (token.kind === 'quoted' || (token.kind === 'word' && !RESERVED.has(token.value))) {
      this.at++;
      return foldedName(token.value);
    }
    throw this.error();
  }

  takeName(): string {
    const name = this.name();
    this.out.push(quoteName(name));
    return name;
  }

  relation(): RelationName {
    const first = this.name();
    if (!this.skip('.')) return { schema: undefined, name: first };
    const second = this.name();
    if (!this.skip('.')) return { schema: first, name: second };
    return { schema: second, name: this.name() };
  }

  /** A user's or role's name: quoted, its case is kept, because `IAMR:<role>` carries the role's own spelling. */
  userName(): string {
    const token = this.next();
    if (token.kind === 'quoted') return token.text.slice(1, -1).replaceAll('""', '"');
    if (token.kind === 'word') return token.value;
    throw syntaxError(token.text);
  }

  /** A string literal's value. */
  string(): string {
    if (this.peek().kind !== 'string') throw this.error();
    return this.next().value;
  }

  takeString(): void {
    this.out.push(postgresString(this.string()));
  }

  integer(): number {
    const token = this.peek();
    if (token.kind !== 'number' || !/^\d+$/.test(token.text)) throw this.error();
    this.at++;
    return Number(token.text);
  }

  /** `( item, item … )` without output. */
  list<T>(item: () => T): T[] {
    this.expect('(');
    const items = this.commaSeparated(item);
    this.expect(')');
    return items;
  }

  commaSeparated<T>(item: () => T): T[] {
    const items = [item()];
    while (this.skip(',')) items.push(item());
    return items;
  }

  takeCommaSeparated(item: () => void): void {
    item();
    while (this.take(',')) item();
  }

  /** Everything written from `mark` on, removed from the output. */
  cut(mark: number): string {
    return this.out.splice(mark).join(' ');
  }

  get text(): string {
    return this.out.join(' ');
  }
}
