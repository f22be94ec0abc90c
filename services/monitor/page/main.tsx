// The page of the monitor: begins to listen, and draws.

import { render } from 'preact';
import { App } from './app.tsx';
import { connectStream } from './dashboard-stream.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/tables.css';
import './styles/parts.css';

const root = document.getElementById('app');
if (root === null) throw new Error('The page has no element "app".');
connectStream();
render(<App />, root);
