/** What is read from the API's explanations. Fields that are not named pass by. */
import { z } from 'zod';

const Actor = z.looseObject({
  name: z.string(),
  role: z.string().optional(),
  address: z.string().optional(),
  onBehalfOf: z.string().optional(),
});
const Request = z.looseObject({ method: z.string(), path: z.string() });
const Cause = z.looseObject({ position: z.int(), type: z.string() });

export const LogEvent = z.looseObject({
  position: z.int(),
  time: z.string(),
  type: z.string(),
  stream: z.string(),
  actor: Actor,
  request: Request.optional(),
  commandId: z.string().optional(),
  cause: Cause.optional(),
  trigger: Cause.optional(),
  traceId: z.string().optional(),
});
export type LogEvent = z.infer<typeof LogEvent>;

export const EventPage = z.object({ events: z.array(LogEvent), next: z.string().optional() });

const Trigger = z.looseObject({
  position: z.int(),
  time: z.string(),
  type: z.string(),
  actor: Actor,
  request: Request.optional(),
});

const Device = z.looseObject({
  host: z.string(),
  name: z.string(),
  zone: z.int(),
  free: z.int(),
  rank: z.int().optional(),
  verdict: z.string(),
  why: z.string(),
});

const Place = z.looseObject({ device: z.string(), name: z.string(), node: z.string(), host: z.string() });

export const ExplainedVolume = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  status: z.string(),
  health: z.string().optional(),
  adopted: z.looseObject({ position: z.int(), time: z.string(), actor: Actor, origin: z.string() }).optional(),
  cloned: z.looseObject({ position: z.int(), time: z.string(), actor: Actor, origin: z.string() }).optional(),
  placements: z.array(
    Trigger.extend({
      instead: z.string().optional(),
      attempts: z.array(z.looseObject({ sets: z.int(), brickKib: z.int(), outcome: z.string() })),
      sets: z.array(z.looseObject({ set: z.int(), order: z.string(), devices: z.array(Device) })),
      unusable: z.array(Device),
    }),
  ),
  moves: z
    .array(
      Trigger.extend({
        brick: z.string(),
        from: Place.optional(),
        to: Place.extend({ brick: z.string() }),
        result: z.string(),
        detail: z.string().optional(),
        passedOver: z.array(Place.extend({ why: z.string() })),
      }),
    )
    .default([]),
});

export const ExplainedOperation = z.looseObject({
  id: z.string(),
  kind: z.string().optional(),
  subject: z.string().optional(),
  status: z.string().optional(),
  waitsFor: z.string().optional(),
  next: z.string().optional(),
  detail: z.string().optional(),
  trigger: Trigger.optional(),
  steps: z.array(
    z.looseObject({
      name: z.string(),
      direction: z.string(),
      attempt: z.int(),
      startedAt: z.string(),
      tasks: z.array(
        z.looseObject({
          type: z.string(),
          host: z.string(),
          status: z.string(),
          tookMs: z.int().optional(),
          detail: z.string().optional(),
        }),
      ),
    }),
  ),
  plan: z.array(z.looseObject({ name: z.string(), status: z.string() })).optional(),
});

export const ExplainedRefusal = z.looseObject({
  id: z.string(),
  actor: Actor,
  request: Request,
  position: z.int(),
  refusedAt: z.string(),
  reason: z.string().optional(),
  remedy: z.string().optional(),
  clusters: z
    .array(
      z.looseObject({
        cluster: z.string().optional(),
        kind: z.string(),
        devices: z
          .array(
            z.looseObject({
              host: z.string(),
              name: z.string(),
              zone: z.int(),
              free: z.int(),
              rule: z.string(),
              why: z.string(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

const Refused = z.looseObject({ reason: z.string(), remedy: z.string().optional() });

export const WhatIfAnswer = z.looseObject({
  do: z.string(),
  fits: z.boolean().optional(),
  bricks: z
    .array(z.looseObject({ set: z.int(), place: z.int(), host: z.string(), deviceId: z.string(), sizeKib: z.int() }))
    .optional(),
  reason: z.string().optional(),
  remedy: z.string().optional(),
  count: z.int().optional(),
  isAll: z.boolean().optional(),
  endedBy: Refused.optional(),
  host: z.string().optional(),
  touched: z.int().optional(),
  evacuation: z
    .looseObject({
      fits: z.boolean(),
      moves: z.int().optional(),
      blocked: z.int().optional(),
      remedy: z.string().optional(),
    })
    .optional(),
  counts: z.record(z.string(), z.int()).optional(),
  volumes: z
    .array(z.looseObject({ id: z.string(), name: z.string(), before: z.string(), after: z.string() }))
    .optional(),
});
export type WhatIfAnswer = z.infer<typeof WhatIfAnswer>;

export const WhatIf = z.object({ position: z.int(), steps: z.array(WhatIfAnswer) });
