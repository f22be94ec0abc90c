// Theme: light, dark, or the system setting.

import { effect, signal } from '@preact/signals';

type Theme = 'auto' | 'light' | 'dark';
const KEY = 'tickbus-theme';

export const theme = signal<Theme>(stored());
/** Whether the dark theme is in effect, for components that draw their own colours. */
export const isDark = signal(false);

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
systemIsDark.addEventListener('change', apply);
effect(apply);

export function nextTheme(): void {
  theme.value =
    theme.value === 'auto' ? (isDark.value ? 'light' : 'dark') : theme.value === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
}

function apply(): void {
  const chosen = theme.value;
  if (chosen === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  isDark.value = chosen === 'dark' || (chosen === 'auto' && systemIsDark.matches);
}

function stored(): Theme {
  const { theme: chosen } = document.documentElement.dataset;
  return chosen === 'light' || chosen === 'dark' ? chosen : 'auto';
}
