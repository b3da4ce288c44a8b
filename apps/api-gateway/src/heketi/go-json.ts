/** JSON as Go writes it: compact, safe inside HTML, one line break at the end. */

/** What Go escapes in strings and `JSON.stringify` leaves. None of it can stand outside a string. */
const UNSAFE = /[<>&\u2028\u2029]/g;

/** A document of an answer. */
export const goJson = (value: unknown, indent = 0): string =>
  `${JSON.stringify(value, undefined, indent).replace(UNSAFE, escaped)}\n`;

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
