export { fail, list, ok, unless, warn, type Finding } from '../../finding.js';

/** `tightbeam emqx install`, which mends most of what the checks find. */
export const INSTALL = 'Run `tightbeam emqx install`.';

/** Of what follows from another finding: a cause is named once. */
export const MEND_EXHOOK = 'Mend "exhook" first.';
