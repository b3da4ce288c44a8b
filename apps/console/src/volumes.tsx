import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Moment } from './api.ts';
import { HistoryTable } from './events.tsx';
import { Cell, Tag, Trouble, useAnswer } from './parts.tsx';
import type { ExplainedDevice, ExplainedSet, ExplainedVolume, Placement, VolumePage } from './shapes.ts';
import { countText, sizeText, timeText } from './words.ts';

const PAGE = 50;

interface Shown {
  readonly moment: Moment;
  readonly beat: number;
}

/** All volumes, page by page. */
export function Volumes({ moment, beat }: Shown): JSX.Element {
  const [search, setSearch] = useState('');
  const [offset, setOffset] = useState(0);
  const query = new URLSearchParams({ search, offset: String(offset), limit: String(PAGE) });
  const { value, trouble } = useAnswer<VolumePage>(`/v1/overview/volumes?${query.toString()}`, moment, beat);
  return (
    <section class="panel" aria-labelledby="volumes-title">
      <h2 id="volumes-title">Volumes</h2>
      <div class="form">
        <label>
          Name or id
          <input
            type="search"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              setOffset(0);
            }}
          />
        </label>
        {value !== undefined && (
          <span class="quiet" role="status">
            {countText(value.total)} found
          </span>
        )}
      </div>
      {trouble !== undefined && <Trouble text={trouble} />}
      {value !== undefined && <VolumeTable page={value} />}
      {value !== undefined && value.total > PAGE && (
        <div class="row">
          <button
            disabled={offset === 0}
            onClick={() => {
              setOffset(Math.max(0, offset - PAGE));
            }}
          >
            Earlier
          </button>
          <span class="quiet">
            {countText(offset + 1)} to {countText(Math.min(offset + PAGE, value.total))}
          </span>
          <button
            disabled={offset + PAGE >= value.total}
            onClick={() => {
              setOffset(offset + PAGE);
            }}
          >
            Later
          </button>
        </div>
      )}
    </section>
  );
}

const VolumeTable = ({ page }: { page: VolumePage }): JSX.Element => (
  <div class="scroll">
    <table class="stack">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" class="number">
            Size
          </th>
          <th scope="col">Protection</th>
          <th scope="col">Health</th>
          <th scope="col">Status</th>
          <th scope="col" class="number">
            Bricks
          </th>
        </tr>
      </thead>
      <tbody>
        {page.volumes.map((volume) => (
          <tr key={volume.id}>
            <Cell label="Name">
              <a href={`#/volume/${volume.id}`}>{volume.name}</a>
            </Cell>
            <Cell label="Size" number>
              {sizeText(volume.sizeKib)}
            </Cell>
            <Cell label="Protection">{volume.durability}</Cell>
            <Cell label="Health">
              <Tag>{volume.health}</Tag>
            </Cell>
            <Cell label="Status">
              <Tag>{volume.status}</Tag>
            </Cell>
            <Cell label="Bricks" number>
              {volume.bricks}
            </Cell>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

/** One volume: why its bricks lie where they lie, and everything that ever happened to it. */
export function VolumePageView({ id, moment, beat }: Shown & { id: string }): JSX.Element {
  const { value, trouble } = useAnswer<ExplainedVolume>(`/v1/explain/volumes/${id}`, moment, beat);
  return (
    <>
      <section class="panel" aria-labelledby="volume-title">
        <div class="row">
          <h2 id="volume-title">Volume {value?.name ?? ''}</h2>
          {value !== undefined && (
            <span>
              {value.health !== undefined && <Tag>{value.health}</Tag>} <Tag>{value.status}</Tag>
            </span>
          )}
        </div>
        <p class="mono quiet">{id}</p>
        {trouble !== undefined && <Trouble text={trouble} />}
        {value?.placements.map((placement) => (
          <PlacementView key={placement.position} placement={placement} />
        ))}
      </section>
      <HistoryTable kind="volumes" id={id} moment={moment} beat={beat} />
    </>
  );
}

function PlacementView({ placement }: { placement: Placement }): JSX.Element {
  const { attempts, actor, request, traceId } = placement;
  return (
    <section>
      <h3>
        {placement.type === 'VolumePlanned' ? 'Placed' : 'Expanded'} at position {countText(placement.position)},{' '}
        {timeText(placement.time)}
      </h3>
      <p>
        By {actor.name}
        {actor.address === undefined ? '' : ` from ${actor.address}`}
        {request === undefined ? '' : `, ${request.method} ${request.path}`}
        {traceId !== undefined && (
          <>
            , trace <span class="mono">{traceId}</span>
          </>
        )}
        . Tried:{' '}
        {attempts.map((one) => `${String(one.sets)} × ${sizeText(one.brickKib)} bricks: ${one.outcome}`).join(', ')}.
      </p>
      {placement.sets.map((set) => (
        <SetTable key={set.set} set={set} />
      ))}
      {placement.unusable.length > 0 && (
        <details>
          <summary>{placement.unusable.length} devices that could not take part</summary>
          <DeviceTable devices={placement.unusable} caption="Devices that could not take part" />
        </details>
      )}
    </section>
  );
}

const SetTable = ({ set }: { set: ExplainedSet }): JSX.Element => (
  <>
    <DeviceTable devices={set.devices} caption={`Brick set ${String(set.set + 1)}: devices in the order of the walk`} />
    {set.passedOverMore + set.notNeededMore > 0 && (
      <p class="quiet">
        {set.passedOverMore} more were passed over, {set.notNeededMore} more not needed.
      </p>
    )}
  </>
);

const DeviceTable = ({ devices, caption }: { devices: readonly ExplainedDevice[]; caption: string }): JSX.Element => (
  <div class="scroll">
    <table class="stack">
      <caption class="quiet">{caption}</caption>
      <thead>
        <tr>
          <th scope="col" class="number">
            Turn
          </th>
          <th scope="col">Device</th>
          <th scope="col" class="number">
            Zone
          </th>
          <th scope="col" class="number">
            Free
          </th>
          <th scope="col">Verdict</th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {devices.map((device) => (
          <tr key={device.device} class={device.verdict}>
            <Cell label="Turn" number>
              {device.rank ?? '–'}
            </Cell>
            <Cell label="Device">
              {device.host} <span class="mono">{device.name}</span>
            </Cell>
            <Cell label="Zone" number>
              {device.zone}
            </Cell>
            <Cell label="Free" number>
              {sizeText(device.free)}
            </Cell>
            <Cell label="Verdict">{device.verdict.replace('-', ' ')}</Cell>
            <Cell label="Why">{device.why}</Cell>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
