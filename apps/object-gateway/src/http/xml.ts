/** XML as S3 speaks it: elements and text, written and read. */
import { S3Error } from '../s3-error';

/** What every document begins with. */
export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const DEPTH_MAX = 10;

/** An element: text, or elements in order; what is undefined is left out. */
export type Content = string | number | boolean | undefined | readonly Node[];
export type Node = readonly [name: string, content: Content];

/** A whole document. */
export const document = (name: string, content: Content): string =>
  `${XML_HEAD}<${name} xmlns="${NAMESPACE}">${inner(content)}</${name}>`;

/** An error has no namespace. */
export const errorDocument = (content: readonly Node[]): string => `${XML_HEAD}<Error>${inner(content)}</Error>`;

function inner(content: Content): string {
  if (content === undefined) return '';
  if (typeof content === 'string') return escaped(content);
  if (typeof content === 'number' || typeof content === 'boolean') return String(content);
  return content
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${inner(value)}</${name.split(' ')[0] ?? name}>`)
    .join('');
}

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Characters that XML 1.0 cannot have are written as S3 writes them, by number. */
const escaped = (text: string): string =>
  text.replace(/[&<>"\u0000-\u001f\ufffe\uffff]/g, (one) => NAMED[one] ?? `&#x${one.charCodeAt(0).toString(16)};`);

/** An element that was read. */
export class Element {
  readonly children: Element[] = [];
  text = '';

  constructor(readonly name: string) {}

  all(name: string): readonly Element[] {
    return this.children.filter((child) => child.name === name);
  }

  /** Text of the first child of the name. */
  value(name: string): string | undefined {
    return this.children.find((child) => child.name === name)?.text;
  }
}

const TOKEN =
  /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;

/** Reads a document whose root has this name; nothing but elements, attributes and text is understood. */
export function parseXml(text: string, root: string): Element {
  const top = new Element('');
  const open = [top];
  const source = text.replace(/^\ufeff/, '');
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (match === null) throw malformed();
    take(match, open);
  }
  const [found, ...others] = top.children;
  if (open.length !== 1 || found?.name !== root || others.length > 0 || top.text.trim() !== '') throw malformed();
  return found;
}

function take([, closing, fullName, , empty, text]: RegExpExecArray, open: Element[]): void {
  const current = open.at(-1);
  if (current === undefined) throw malformed();
  if (text !== undefined) current.text += unescaped(text);
  if (fullName === undefined) return;
  const name = fullName.slice(fullName.indexOf(':') + 1);
  if (closing === '/') {
    if (open.length === 1 || current.name !== name) throw malformed();
    open.pop();
    return;
  }
  const element = new Element(name);
  current.children.push(element);
  if (empty === '/') return;
  if (open.length > DEPTH_MAX) throw malformed();
  open.push(element);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  if (/&(?!(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)/.test(text)) throw malformed();
  return text
    .replaceAll('\r\n', '\n')
    .replace(/&(#x?)?([0-9a-zA-Z]+);/g, (_, kind: string | undefined, name: string) => {
      if (kind === undefined) return ENTITIES[name] ?? '';
      const code = Number.parseInt(name, kind === '#x' ? 16 : 10);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformed();
      return String.fromCodePoint(code);
    });
}

const malformed = (): S3Error =>
  new S3Error('MalformedXML', 'The XML of the request is not what this operation understands.');
