/** The first idea: a decision is a pure function from a command and a state to facts or a refusal. */

/** What `decide` answers: facts, or the reason why not. Nothing else can happen. */
export type Decision<Event, Rejection> =
  | { readonly kind: 'accepted'; readonly events: readonly Event[] }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

/** Accepts with these facts; none means the request changes nothing. */
export const accepted = <Event>(
  ...events: readonly Event[]
): { readonly kind: 'accepted'; readonly events: readonly Event[] } => ({
  kind: 'accepted',
  events,
});

/** Refuses, with the reason. */
export const rejected = <Rejection>(
  rejection: Rejection,
): { readonly kind: 'rejected'; readonly rejection: Rejection } => ({
  kind: 'rejected',
  rejection,
});

/** A fact with what the log added to it. */
export interface Recorded<Event> {
  /** Where it stands in its ledger; 1 is the first. */
  readonly position: number;
  /** When it was recorded: UTC, ISO 8601. */
  readonly at: string;
  readonly event: Event;
}

interface Typed {
  readonly type: string;
}

/** One function for each type of a union; a type without its function does not compile. */
export type Handlers<Union extends Typed, Rest extends readonly unknown[], Result> = {
  readonly [Type in Union['type']]: (message: Extract<Union, { readonly type: Type }>, ...rest: Rest) => Result;
};

/** Calls the function of a message's type. */
export function dispatch<Union extends Typed, Rest extends readonly unknown[], Result>(
  handlers: Handlers<Union, Rest, Result>,
): (message: Union, ...rest: Rest) => Result {
  return (message, ...rest) => {
    const handle = handlers[message.type as Union['type']] as (message: Union, ...rest: Rest) => Result;
    return handle(message, ...rest);
  };
}
