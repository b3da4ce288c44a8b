import type { JSX } from 'preact';
import type { Moment } from './api.ts';
import { Cell, Tag, Trouble, useAnswer } from './parts.tsx';
import type { ExplainedOperation, OperationLine, Overview, StepRun } from './shapes.ts';
import { countText, shortId, timeText, tookText } from './words.ts';

const linkTo = ({ kind, subject }: Pick<OperationLine, 'kind' | 'subject'>): JSX.Element =>
  kind.endsWith('-volume') ? (
    <a href={`#/volume/${subject}`} class="mono">
      {shortId(subject)}
    </a>
  ) : (
    <span class="mono">{shortId(subject)}</span>
  );

/** Operations that run, then those that ended last. */
export function Operations({ overview }: { overview: Overview }): JSX.Element {
  const { operations, counts } = overview;
  return (
    <section class="panel" aria-labelledby="operations-title">
      <h2 id="operations-title">Operations</h2>
      <p class="quiet" role="status">
        {countText(counts.running)} running
      </p>
      {operations.length === 0 && <p>Nothing has been done yet.</p>}
      <div class="scroll">
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col">Of</th>
              <th scope="col">Status</th>
              <th scope="col">Since</th>
              <th scope="col">Waits for, or why it ended so</th>
            </tr>
          </thead>
          <tbody>
            {operations.map((one) => (
              <tr key={one.id}>
                <Cell label="Operation">
                  <a href={`#/operation/${one.id}`}>{one.kind}</a>
                </Cell>
                <Cell label="Of">{linkTo(one)}</Cell>
                <Cell label="Status">
                  <Tag>{one.status}</Tag>
                </Cell>
                <Cell label="Since">{timeText(one.endedAt ?? one.startedAt)}</Cell>
                <Cell label="Waits for">{one.detail ?? one.waitsFor ?? ''}</Cell>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** One operation: its plan, the step it is at, and every step so far. */
export function OperationPage({ id, moment, beat }: { id: string; moment: Moment; beat: number }): JSX.Element {
  const { value, trouble } = useAnswer<ExplainedOperation>(`/v1/explain/operations/${id}`, moment, beat);
  if (trouble !== undefined) return <Trouble text={trouble} />;
  if (value === undefined) return <p class="quiet">Loading…</p>;
  const { trigger } = value;
  return (
    <section class="panel" aria-labelledby="operation-title">
      <div class="row">
        <h2 id="operation-title">Operation {value.kind ?? ''}</h2>
        {value.status !== undefined && <Tag>{value.status}</Tag>}
      </div>
      <p class="mono quiet">{id}</p>
      {value.kind !== undefined && value.subject !== undefined && (
        <p>Of {linkTo({ kind: value.kind, subject: value.subject })}</p>
      )}
      {trigger !== undefined && (
        <p>
          Set in motion by {trigger.actor.name}
          {trigger.actor.address === undefined ? '' : ` from ${trigger.actor.address}`}
          {trigger.request === undefined ? '' : `, ${trigger.request.method} ${trigger.request.path}`}, at position{' '}
          {countText(trigger.position)}, {timeText(trigger.time)}.
        </p>
      )}
      {value.plan !== undefined && (
        <ol class="steps" aria-label="Steps">
          {value.plan.map((step) => (
            <li
              key={step.number}
              data-status={step.status}
              aria-current={step.status === 'current' || step.status === 'being-undone' ? 'step' : undefined}
            >
              {step.name} <span class="quiet">{step.status.replaceAll('-', ' ')}</span>
            </li>
          ))}
        </ol>
      )}
      {value.waitsFor !== undefined && <p>Waits for {value.waitsFor}.</p>}
      {value.next !== undefined && <p class="quiet">Next: {value.next}.</p>}
      {value.detail !== undefined && <p class="bad">{value.detail}</p>}
      {value.steps.map((step) => (
        <StepTable key={step.position} step={step} />
      ))}
    </section>
  );
}

const StepTable = ({ step }: { step: StepRun }): JSX.Element => (
  <div class="scroll">
    <h3>
      {step.name}
      {step.direction === 'act' ? '' : `, ${step.direction}`}
      {step.attempt > 1 ? `, attempt ${String(step.attempt)}` : ''}{' '}
      <span class="quiet">
        {timeText(step.startedAt)} {tookText(step.tookMs)}
      </span>
    </h3>
    <table class="stack">
      <thead>
        <tr>
          <th scope="col">Task</th>
          <th scope="col">Host</th>
          <th scope="col">Status</th>
          <th scope="col" class="number">
            Took
          </th>
          <th scope="col">Detail</th>
        </tr>
      </thead>
      <tbody>
        {step.tasks.map((task) => (
          <tr key={task.id}>
            <Cell label="Task">{task.type}</Cell>
            <Cell label="Host">{task.host}</Cell>
            <Cell label="Status">
              <Tag>{task.status}</Tag>
            </Cell>
            <Cell label="Took" number>
              {tookText(task.tookMs)}
            </Cell>
            <Cell label="Detail">{task.detail ?? ''}</Cell>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
