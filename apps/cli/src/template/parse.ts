/** Go's text templates, as far as heketi-cli's users write them: text to a tree. */
import { UsageError } from '../exit-codes';

/** What has a value. */
export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | undefined }
  /** `.`, `$`, `$name` or a pipeline in parentheses, and the fields behind it. */
  | { readonly kind: 'place'; readonly from: string | Pipeline; readonly fields: readonly string[] }
  | { readonly kind: 'call'; readonly name: string };

/** Words of a command: a function with its arguments, or one value. */
export type Command = readonly Operand[];
export interface Pipeline {
  /** Variables that it gives a value to. */
  readonly names: readonly string[];
  readonly commands: readonly Command[];
}
export type Branch = 'if' | 'with' | 'range';
/** What is done, or not, or more than once. */
export interface BranchPiece {
  readonly kind: Branch;
  readonly pipeline: Pipeline;
  readonly body: readonly Piece[];
  readonly otherwise: readonly Piece[];
}
/** A piece of a template. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'put'; readonly pipeline: Pipeline }
  | BranchPiece;

const bad = (problem: string): UsageError => new UsageError(`template: ${problem}`);

type Chunk = { readonly text: string } | { readonly action: string };

const QUOTED = /"(?:\\.|[^"\\\n])*"|`[^`]*`|\/\*[^]*?\*\//y;

/** Where an action ends, quotes and comments left aside. */
function endOf(source: string, from: number): number {
  let at = from;
  while (at < source.length && !source.startsWith('}}', at)) {
    QUOTED.lastIndex = at;
    const quoted = /["`/]/.test(source.charAt(at)) ? QUOTED.exec(source)?.[0] : undefined;
    at += quoted?.length ?? 1;
  }
  if (at >= source.length) throw bad('an action is not closed');
  return at;
}

/** Cuts at the braces; a hyphen inside of them takes the blanks outside away. */
function chunksOf(source: string): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  let isTrimmed = false;
  const add = (between: string): void => {
    const text = isTrimmed ? between.trimStart() : between;
    if (text !== '') chunks.push({ text });
  };
  for (let begin = source.indexOf('{{'); begin >= 0; begin = source.indexOf('{{', from)) {
    const text = source.slice(from, begin);
    const end = endOf(source, begin + 2);
    const action = source.slice(begin + 2, end);
    add(action.startsWith('- ') ? text.trimEnd() : text);
    const inner = action.replace(/^- /, '').replace(/ -$/, '').trim();
    if (!inner.startsWith('/*')) chunks.push({ action: inner });
    isTrimmed = action.endsWith(' -');
    from = end + 2;
  }
  add(source.slice(from));
  return chunks;
}

const TOKEN = /\s+|"(?:\\.|[^"\\])*"|`[^`]*`|:=|[|(),=]|\$\w*(?:\.\w+)*|(?:\.\w+)+|\.|-?\d+(?:\.\d+)?|\w+/gy;

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const [token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw bad(`"${text.slice(at)}" is not understood`);
    if (token.trim() !== '') tokens.push(token);
  }
  return tokens;
}

/** Reads tokens one after the other. */
class Words {
  private at = 0;

  constructor(private readonly tokens: readonly string[]) {}

  get next(): string | undefined {
    return this.tokens[this.at];
  }

  take(): string | undefined {
    this.at += 1;
    return this.tokens[this.at - 1];
  }

  pipeline(): Pipeline {
    const names = this.names();
    const commands = [this.command()];
    while (this.next === '|') {
      this.take();
      commands.push(this.command());
    }
    return { names, commands };
  }

  /** `$x :=`, `$i, $x :=` or `$x =`. */
  private names(): string[] {
    const rest = this.tokens.slice(this.at);
    const length = [1, 3].find((index) => rest[index] === ':=' || rest[index] === '=');
    if (length === undefined || (length === 3 && rest[1] !== ',')) return [];
    this.at += length + 1;
    return rest.slice(0, length).filter((word) => word !== ',');
  }

  private command(): Command {
    const operands: Operand[] = [];
    while (this.next !== undefined && this.next !== '|' && this.next !== ')') operands.push(this.operand());
    if (operands.length === 0) throw bad('a value is missing');
    return operands;
  }

  private operand(): Operand {
    const word = this.take() ?? '';
    if (word === '(') return this.inner();
    if (/^["`]/.test(word)) return { kind: 'literal', value: unquoted(word) };
    if (/^-?\d/.test(word)) return { kind: 'literal', value: Number(word) };
    if (/^[.$]/.test(word)) return placeOf(word);
    if (Object.hasOwn(CONSTANTS, word)) return { kind: 'literal', value: CONSTANTS[word] };
    if (/^\w/.test(word)) return { kind: 'call', name: word };
    throw bad(`"${word}" is not understood`);
  }

  private inner(): Operand {
    const from = this.pipeline();
    if (this.take() !== ')') throw bad('a parenthesis is not closed');
    return { kind: 'place', from, fields: this.next?.startsWith('.') === true ? fieldsIn(this.take() ?? '') : [] };
  }
}

const CONSTANTS: Readonly<Record<string, boolean | undefined>> = { true: true, false: false, nil: undefined };
const fieldsIn = (word: string): string[] => word.split('.').filter((field) => field !== '');

function placeOf(word: string): Operand {
  if (word.startsWith('.')) return { kind: 'place', from: '.', fields: fieldsIn(word) };
  const [from = '$', ...fields] = word.split('.');
  return { kind: 'place', from, fields };
}

function unquoted(word: string): string {
  if (word.startsWith('`')) return word.slice(1, -1);
  try {
    return JSON.parse(word) as string;
  } catch {
    throw bad(`${word} is no text`);
  }
}

const KEYWORD = /^(if|with|range|else|end)\b/;

/** Makes the tree of a template; a template that cannot be understood is refused with the reason. */
export function parseTemplate(source: string): readonly Piece[] {
  const chunks = chunksOf(source);
  let at = 0;
  const piecesUntil = (isInside: boolean): { readonly pieces: Piece[]; readonly end: string } => {
    const pieces: Piece[] = [];
    for (let chunk = chunks[at]; chunk !== undefined; chunk = chunks[at]) {
      at += 1;
      if ('text' in chunk) pieces.push({ kind: 'text', text: chunk.text });
      else {
        const keyword = KEYWORD.exec(chunk.action)?.[1];
        if (keyword !== 'else' && keyword !== 'end') pieces.push(pieceOf(keyword as Branch | undefined, chunk.action));
        else if (isInside) return { pieces, end: chunk.action };
        else throw bad(`{{${chunk.action}}} without a beginning`);
      }
    }
    if (isInside) throw bad('an {{end}} is missing');
    return { pieces, end: '' };
  };
  const pieceOf = (branch: Branch | undefined, action: string): Piece => {
    const words = new Words(tokensOf(branch === undefined ? action : action.slice(branch.length)));
    const pipeline = words.pipeline();
    if (words.next !== undefined) throw bad(`"${words.next}" is not understood in {{${action}}}`);
    if (branch === undefined) return { kind: 'put', pipeline };
    const { pieces: body, end } = piecesUntil(true);
    return { kind: branch, pipeline, body, otherwise: otherwiseOf(end) };
  };
  /** `else if` is an `if` in the other branch, which ends with it. */
  const otherwiseOf = (end: string): readonly Piece[] => {
    if (end === 'end') return [];
    const more = end.slice('else'.length).trim();
    if (more === '') return piecesUntil(true).pieces;
    return [pieceOf(KEYWORD.exec(more)?.[1] as Branch | undefined, more)];
  };
  return piecesUntil(false).pieces;
}
