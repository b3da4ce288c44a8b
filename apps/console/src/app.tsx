/** The console: one moment of the log, seen from several sides. */
import type { JSX } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { followEvents, getJson, knownKey, type LogEvent, type Moment, pathAt, Refusal, rememberKey } from './api.ts';
import { DriftPage } from './drift.tsx';
import { Events } from './events.tsx';
import { Login } from './login.tsx';
import { OperationPage, Operations } from './operations.tsx';
import { Trouble } from './parts.tsx';
import type { Overview } from './shapes.ts';
import { TimeBar } from './time-bar.tsx';
import { Topology } from './topology.tsx';
import { VolumePageView, Volumes } from './volumes.tsx';

const PAGES = { topology: 'Topology', volumes: 'Volumes', operations: 'Operations', events: 'Events', drift: 'Drift' };
type PageName = keyof typeof PAGES;

/** The page is drawn again at most so often, however fast the log grows. */
const BEAT_MS = 500;
const EVENTS_KEPT = 500;

interface Route {
  readonly page: string;
  readonly id: string;
}

function routeFrom(hash: string): Route {
  const [, page = '', id = ''] = hash.replace(/^#/, '').split('/');
  return { page: page === '' ? 'topology' : page, id: /^[0-9a-f]{32}$/.test(id) ? id : '' };
}

function useRoute(): Route {
  const [route, setRoute] = useState(routeFrom(location.hash));
  useEffect(() => {
    const change = (): void => {
      setRoute(routeFrom(location.hash));
    };
    addEventListener('hashchange', change);
    return () => {
      removeEventListener('hashchange', change);
    };
  }, []);
  return route;
}

/** The overview of a moment: one question under way at a time, the latest wish next. */
function useOverview(moment: Moment, beat: number, onOut: () => void) {
  const [overview, setOverview] = useState<Overview>();
  const [trouble, setTrouble] = useState<string>();
  const wish = useRef<Moment | undefined>(undefined);
  const isAsking = useRef(false);
  useEffect(() => {
    wish.current = moment;
    if (isAsking.current) return;
    const ask = async (): Promise<void> => {
      isAsking.current = true;
      while (wish.current !== undefined) {
        const wanted = wish.current;
        wish.current = undefined;
        try {
          setOverview(await getJson<Overview>(pathAt('/v1/overview', wanted)));
          setTrouble(undefined);
        } catch (error) {
          if (error instanceof Refusal && error.status === 401) onOut();
          else setTrouble(error instanceof Error ? error.message : String(error));
        }
      }
      isAsking.current = false;
    };
    void ask();
  }, [moment, beat]);
  return { overview, trouble };
}

interface Live {
  readonly events: readonly LogEvent[];
  readonly connected: boolean;
  readonly head: number;
  /** Grows when there is something new, a few times a second at most. */
  readonly beat: number;
}

/** What is heard of the log while the page is open. */
function useLive(start: number | undefined): Live {
  const [live, setLive] = useState<Live>({ events: [], connected: true, head: start ?? 0, beat: 0 });
  const isReady = start !== undefined;
  useEffect(() => {
    if (start === undefined) return undefined;
    const stopper = new AbortController();
    let fresh: LogEvent[] = [];
    const timer = setInterval(() => {
      if (fresh.length === 0) return;
      const latest = fresh.reverse();
      fresh = [];
      setLive((before) => ({
        ...before,
        events: [...latest, ...before.events].slice(0, EVENTS_KEPT),
        head: Math.max(before.head, latest[0]?.position ?? 0),
        beat: before.beat + 1,
      }));
    }, BEAT_MS);
    setLive((before) => ({ ...before, head: start }));
    const onEvents = (events: readonly LogEvent[]): void => {
      fresh = [...fresh, ...events].slice(-EVENTS_KEPT);
    };
    const onState = (connected: boolean): void => {
      setLive((before) => (before.connected === connected ? before : { ...before, connected }));
    };
    void followEvents(start + 1, { onEvents, onState }, stopper.signal);
    return () => {
      clearInterval(timer);
      stopper.abort();
    };
  }, [isReady]);
  return live;
}

/** Light, dark, or as the system has it. */
function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState(localStorage.getItem('brickyard.theme') ?? 'system');
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    localStorage.setItem('brickyard.theme', theme);
  }, [theme]);
  const next = theme === 'system' ? 'dark' : theme === 'dark' ? 'light' : 'system';
  return (
    <button
      aria-label={`Colours: ${theme}; change to ${next}`}
      onClick={() => {
        setTheme(next);
      }}
    >
      {theme}
    </button>
  );
}

/** Whether the gateway lets this page in. */
export function App(): JSX.Element {
  const [isIn, setIn] = useState<boolean>();
  useEffect(() => {
    getJson('/v1/overview').then(
      () => {
        setIn(true);
      },
      () => {
        setIn(false);
      },
    );
  }, []);
  if (isIn === undefined) return <p class="quiet">Loading…</p>;
  if (!isIn) {
    return (
      <Login
        onIn={() => {
          setIn(true);
        }}
      />
    );
  }
  return (
    <Console
      onOut={() => {
        rememberKey(undefined);
        setIn(false);
      }}
    />
  );
}

function Console({ onOut }: { onOut: () => void }): JSX.Element {
  const route = useRoute();
  const [moment, setMoment] = useState<Moment>('live');
  const [start, setStart] = useState<number>();
  const live = useLive(start);
  const beat = moment === 'live' ? live.beat : 0;
  const { overview, trouble } = useOverview(moment, beat, onOut);
  useEffect(() => {
    if (start === undefined && overview !== undefined) setStart(overview.head);
  }, [overview]);
  const onTime = useCallback(async (time: string): Promise<string | undefined> => {
    try {
      const { position } = await getJson<Overview>(`/v1/overview?at=${encodeURIComponent(time)}`);
      setMoment(position);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }, []);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the page
      </a>
      <header class="top">
        <span class="brand">
          <img src="icon.svg" alt="" />
          <h1>Brickyard</h1>
        </span>
        <Navigation current={route.page} />
        <span class="end">
          <ThemeButton />
          {knownKey() !== undefined && <button onClick={onOut}>Log out</button>}
        </span>
      </header>
      <TimeBar
        moment={moment}
        overview={overview}
        connected={live.connected}
        head={Math.max(live.head, overview?.head ?? 0)}
        onMoment={setMoment}
        onTime={onTime}
      />
      <main id="main" tabIndex={-1}>
        {trouble !== undefined && <Trouble text={trouble} />}
        {overview?.problem !== undefined && <div class="notice">{overview.problem}</div>}
        {overview !== undefined && (
          <Page route={route} moment={moment} beat={beat} overview={overview} live={live.events} />
        )}
      </main>
    </>
  );
}

const Navigation = ({ current }: { current: string }): JSX.Element => (
  <nav aria-label="Pages">
    <ul>
      {(Object.keys(PAGES) as PageName[]).map((name) => (
        <li key={name}>
          <a href={`#/${name}`} aria-current={isWithin(current, name) ? 'page' : undefined}>
            {PAGES[name]}
          </a>
        </li>
      ))}
    </ul>
  </nav>
);

const isWithin = (page: string, name: PageName): boolean => page === name || `${page}s` === name;

interface PageProps {
  readonly route: Route;
  readonly moment: Moment;
  readonly beat: number;
  readonly overview: Overview;
  readonly live: readonly LogEvent[];
}

function Page({ route: { page, id }, moment, beat, overview, live }: PageProps): JSX.Element {
  if (page === 'volume' && id !== '') return <VolumePageView id={id} moment={moment} beat={beat} />;
  if (page === 'operation' && id !== '') return <OperationPage id={id} moment={moment} beat={beat} />;
  if (page === 'volumes') return <Volumes moment={moment} beat={beat} />;
  if (page === 'operations') return <Operations overview={overview} />;
  if (page === 'events') return <Events moment={moment} live={live} />;
  if (page === 'drift') return <DriftPage moment={moment} beat={beat} />;
  return <Topology overview={overview} />;
}
