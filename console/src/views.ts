import type { ComponentType } from 'preact';
import { DeviceView } from './device/view.js';
import { EventsView } from './events/view.js';
import { MessageView } from './message/view.js';
import { NowView } from './now/view.js';
import { PoliciesView } from './policies/view.js';

export interface ViewEntry {
  readonly path: string;
  readonly title: string;
  readonly View: ComponentType;
  readonly inMenu: boolean;
  /** The view in the menu that it belongs to. */
  readonly under?: string;
}

export const VIEWS: readonly ViewEntry[] = [
  { path: 'now', title: 'Now', View: NowView, inMenu: true },
  { path: 'events', title: 'Events', View: EventsView, inMenu: true },
  { path: 'message', title: 'Message', View: MessageView, inMenu: false, under: 'events' },
  { path: 'device', title: 'Device', View: DeviceView, inMenu: true },
  { path: 'policies', title: 'Policies', View: PoliciesView, inMenu: true },
];

/** The view of a route's first segment; the first view for one that is none's. */
export function viewOf(path: string): ViewEntry {
  return VIEWS.find((view) => view.path === path) ?? (VIEWS[0] as ViewEntry);
}
