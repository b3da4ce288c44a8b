import type { JSX } from 'preact';
import { Meter, Tag } from './parts.tsx';
import type { NodeLine, Overview } from './shapes.ts';
import { countText, shortId, sizeText, timeText } from './words.ts';

/** Devices of all nodes are shown at once up to this many; else each node's are opened by hand. */
const OPEN_DEVICES_MAX = 60;

interface Fill {
  readonly used: number;
  readonly total: number;
}

const fillOf = (nodes: readonly NodeLine[]): Fill =>
  nodes
    .flatMap(({ devices }) => devices)
    .reduce((sum, { used, total }) => ({ used: sum.used + used, total: sum.total + total }), { used: 0, total: 0 });

const FillText = ({ used, total }: Fill): JSX.Element => (
  <span class="quiet">
    {sizeText(used)} of {sizeText(total)}
  </span>
);

function NodeCard({ node, isOpen }: { node: NodeLine; isOpen: boolean }): JSX.Element {
  const fill = fillOf([node]);
  const state = node.lostSince !== undefined ? 'lost' : node.lifecycle === 'ready' ? node.state : node.lifecycle;
  return (
    <li class="card">
      <div class="row">
        <strong>{node.host}</strong>
        <span>
          {node.kind === 'simulated' && <span class="tag quiet">simulated</span>} <Tag>{state}</Tag>
        </span>
      </div>
      {node.lostSince !== undefined && <div class="bad">silent since {timeText(node.lostSince)}</div>}
      {node.residue > 0 && <div class="warn">{node.residue} leftovers to remove when it is back</div>}
      <Meter {...fill} label={`fill of node ${node.host}`} />
      <FillText {...fill} />
      <details open={isOpen}>
        <summary>
          {node.devices.length} device{node.devices.length === 1 ? '' : 's'}
        </summary>
        {node.devices.map((device) => (
          <div key={device.id}>
            <div class="row">
              <span class="mono">{device.name}</span>
              <span class="quiet">
                {device.bricks} brick{device.bricks === 1 ? '' : 's'}{' '}
                {device.lifecycle === 'ready'
                  ? device.state !== 'online' && <Tag>{device.state}</Tag>
                  : device.lifecycle}
              </span>
            </div>
            <Meter used={device.used} total={device.total} label={`fill of device ${device.name} of ${node.host}`} />
          </div>
        ))}
      </details>
    </li>
  );
}

function ZonePanel({
  zone,
  nodes,
  isOpen,
}: {
  zone: number;
  nodes: readonly NodeLine[];
  isOpen: boolean;
}): JSX.Element {
  const fill = fillOf(nodes);
  return (
    <section aria-label={`Zone ${String(zone)}`}>
      <div class="row">
        <h3>Zone {zone}</h3>
        <FillText {...fill} />
      </div>
      <Meter {...fill} label={`fill of zone ${String(zone)}`} />
      <ul class="cards plain">
        {nodes.map((node) => (
          <NodeCard key={node.id} node={node} isOpen={isOpen} />
        ))}
      </ul>
    </section>
  );
}

/** Clusters, zones, nodes and devices, and how full they are. */
export function Topology({ overview }: { overview: Overview }): JSX.Element {
  const { counts, clusters, nodes } = overview;
  const isOpen = counts.devices <= OPEN_DEVICES_MAX;
  const shown = ['clusters', 'nodes', 'devices', 'volumes', 'running'] as const;
  return (
    <>
      <dl class="counts">
        {shown.map((name) => (
          <div key={name}>
            <dt>{name === 'running' ? 'operations running' : name}</dt>
            <dd>{countText(counts[name])}</dd>
          </div>
        ))}
      </dl>
      {clusters.length === 0 && <p class="quiet">No cluster yet.</p>}
      {clusters.map(({ id, volumes }) => {
        const own = nodes.filter(({ cluster }) => cluster === id);
        const zones = [...new Set(own.map(({ zone }) => zone))];
        return (
          <section class="panel" key={id} aria-label={`Cluster ${id}`}>
            <div class="row">
              <h2 id={`topology-${id}`}>
                Cluster <span class="mono">{shortId(id)}</span>
              </h2>
              <span class="quiet">{countText(volumes)} volumes</span>
            </div>
            <div class="zones">
              {zones.map((zone) => (
                <ZonePanel key={zone} zone={zone} nodes={own.filter((node) => node.zone === zone)} isOpen={isOpen} />
              ))}
            </div>
          </section>
        );
      })}
    </>
  );
}
