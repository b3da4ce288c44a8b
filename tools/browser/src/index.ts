/** A browser for specs and measurements. */
export { Browser, chromiumProgram } from './chromium';
export { Page } from './page';
