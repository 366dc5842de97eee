import { stripVTControlCharacters } from 'node:util';

/** Characters that stand on the screen, colours not counted. */
export const shown = (text: string): number => [...stripVTControlCharacters(text)].length;

export const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(width - shown(text), 0));
export const padStart = (text: string, width: number): string => ' '.repeat(Math.max(width - shown(text), 0)) + text;

/** Shortens plain text in its middle, where names of tables differ least: `customer_add…_history`. */
export function shorten(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${letters.slice(0, head).join('')}…${letters.slice(letters.length - (width - 1 - head)).join('')}`;
}

/** Cuts plain text off at its end. */
export const clip = (text: string, width: number): string => {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, width - 1).join('')}…`;
};

/**
 * Breaks plain text at blanks into lines of at most `width` characters. A word that is longer stays whole: it may be a
 * command or an address that somebody wants to copy. Line ends in the text are kept.
 */
export function wrap(text: string, width: number): string[] {
  return text.split(/\r?\n/).flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ').filter((part) => part !== '')) {
      if (line !== '' && shown(line) + 1 + shown(word) > width) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    return [...lines, line];
  });
}

/** Wrapped text behind a first prefix; the following lines are indented as far. */
export const hanging = (prefix: string, text: string, width: number): string[] =>
  wrap(text, Math.max(width - shown(prefix), 20)).map(
    (line, i) => (i === 0 ? prefix : ' '.repeat(shown(prefix))) + line,
  );
