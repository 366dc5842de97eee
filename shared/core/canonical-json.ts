/**
 * The one spelling of a JSON value: names sorted, of duplicate names the last, no spaces, strings escaped as
 * JSON.stringify does, numbers as exact decimals whatever their size (`1.0` and `1` alike, `1e400` as it is).
 * JSON.parse would not do: it rounds numbers to doubles.
 *
 * @throws SyntaxError where the text is not JSON
 */
export function canonicalJson(text: string): string {
  const reader = { text, at: 0 };
  const value = readValue(reader);
  skipSpace(reader);
  if (reader.at < text.length) throw unexpected(reader);
  return value;
}

interface Reader {
  text: string;
  at: number;
}

function readValue(reader: Reader): string {
  skipSpace(reader);
  switch (reader.text.charCodeAt(reader.at)) {
    case OPEN_BRACE:
      return readObject(reader);
    case OPEN_BRACKET:
      return readArray(reader);
    case QUOTE:
      return readString(reader);
    default:
      return readScalar(reader);
  }
}

function readObject(reader: Reader): string {
  const members = new Map<string, string>();
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_BRACE)) return '{}';
  do {
    skipSpace(reader);
    if (reader.text.charCodeAt(reader.at) !== QUOTE) throw unexpected(reader);
    const name = readString(reader);
    skipSpace(reader);
    if (!take(reader, COLON)) throw unexpected(reader);
    members.set(name, readValue(reader));
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_BRACE)) throw unexpected(reader);
  const names = [...members.keys()].sort();
  return `{${names.map((name) => `${name}:${members.get(name)}`).join(',')}}`;
}

function readArray(reader: Reader): string {
  const elements: string[] = [];
  reader.at++;
  skipSpace(reader);
  if (take(reader, CLOSE_BRACKET)) return '[]';
  do {
    elements.push(readValue(reader));
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_BRACKET)) throw unexpected(reader);
  return `[${elements.join(',')}]`;
}

/** A string without a backslash is its own canonical spelling: control characters can't stand in it bare. */
function readString(reader: Reader): string {
  const start = reader.at;
  let escaped = false;
  for (let at = start + 1; at < reader.text.length; at++) {
    const code = reader.text.charCodeAt(at);
    if (code === BACKSLASH) {
      escaped = true;
      at++;
    } else if (code === QUOTE) {
      reader.at = at + 1;
      const literal = reader.text.slice(start, reader.at);
      return escaped ? JSON.stringify(JSON.parse(literal)) : literal;
    }
  }
  throw unexpected(reader);
}

const SCALAR = /true|false|null|(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

function readScalar(reader: Reader): string {
  SCALAR.lastIndex = reader.at;
  const found = SCALAR.exec(reader.text);
  if (!found) throw unexpected(reader);
  reader.at = SCALAR.lastIndex;
  const [word, sign, whole, fraction, exponent] = found;
  if (whole === undefined) return word;
  return decimal(sign ?? '', whole, fraction ?? '', exponent ?? '0');
}

/** Digits without zeros at either end, and the power of ten behind them: 1200 is `12e2`, 0.5 is `5e-1`, 7 is `7`. */
function decimal(sign: string, whole: string, fraction: string, exponent: string): string {
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = BigInt(exponent) + BigInt(digits.length - significant.length - fraction.length);
  return power === 0n ? sign + significant : `${sign}${significant}e${power}`;
}

function skipSpace(reader: Reader): void {
  for (; ; reader.at++) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
  }
}

function take(reader: Reader, code: number): boolean {
  if (reader.text.charCodeAt(reader.at) !== code) return false;
  reader.at++;
  return true;
}

const unexpected = ({ text, at }: Reader) =>
  new SyntaxError(`not JSON at character ${at}: ${JSON.stringify(text.slice(at, at + 20))}`);

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
