// Before anything is drawn, so that nothing flashes: the colours chosen last time, if any were.
try {
  const theme = localStorage.getItem('tickbus-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's choice.
}
