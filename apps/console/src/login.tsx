import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { getJson, Refusal, rememberKey } from './api.ts';

/** Asks for the administrator's key until the gateway takes it. */
export function Login({ onIn }: { onIn: () => void }): JSX.Element {
  const [trouble, setTrouble] = useState<string>();
  const enter = async (key: string): Promise<void> => {
    rememberKey(key);
    try {
      await getJson('/v1/overview');
      onIn();
    } catch (error) {
      rememberKey(undefined);
      const isKey = error instanceof Refusal && error.status === 401;
      setTrouble(isKey ? `The gateway does not take this key: ${error.message}` : 'The gateway does not answer.');
    }
  };
  return (
    <main class="login">
      <div class="panel">
        <h1>Brickyard</h1>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const field = event.currentTarget.elements.namedItem('key');
            if (field instanceof HTMLInputElement) void enter(field.value);
          }}
        >
          <label>
            Administrator's key
            <input name="key" type="password" required autocomplete="current-password" />
          </label>
          <button type="submit" class="primary">
            Log in
          </button>
          {trouble !== undefined && (
            <span class="bad" role="alert">
              {trouble}
            </span>
          )}
          <p class="quiet">The key stays in this tab. Each request carries a token that is good for it alone.</p>
        </form>
      </div>
    </main>
  );
}
