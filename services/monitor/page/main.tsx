// Entry point of the page: connects the stream and renders.

import { render } from 'preact';
import { App } from './app.tsx';
import { connectStream } from './dashboard-stream.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/tables.css';
import './styles/price-table.css';
import './styles/bots-channels.css';
import './styles/activity.css';
import './styles/top-bar.css';
import './styles/instrument.css';
import './styles/dialog.css';

const root = document.getElementById('app');
if (root === null) throw new Error('The page cannot render: the element "app" is missing.');
connectStream();
render(<App />, root);
