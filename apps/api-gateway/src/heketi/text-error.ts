import type { ClientCommand, Rejection } from '@brickyard/contracts';

/** An answer with an error status whose body is one plain text: what heketi says when it says no. */
export class TextError extends Error {
  constructor(
    readonly status: number,
    text: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(text);
    this.name = 'TextError';
  }
}

/** The allocator refused a command; the table in `text-error.filter.ts` says how that is told. */
export class CommandRejected extends Error {
  constructor(
    readonly command: ClientCommand['type'],
    readonly rejection: Rejection,
    /** What `explain` takes to tell it in full. */
    readonly refusalId: string,
  ) {
    super(`${command} was refused: ${rejection.kind}`);
    this.name = 'CommandRejected';
  }
}

/** No thing of the asked kind has this id. */
export const idNotFound = (): TextError => new TextError(404, 'Id not found');

/** The body is not the JSON that the route reads. */
export const unparsable = (): TextError => new TextError(422, 'request unable to be parsed');

/** The request is understood and not acceptable. */
export const badRequest = (text: string): TextError => new TextError(400, text);
