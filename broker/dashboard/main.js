// Puts the dashboard together and starts it.

import { App } from "./app.js";
import { makeContext } from "./context.js";
import { Feed } from "./feed.js";
import { Session } from "./session.js";
import { Theme } from "./theme.js";
import { agentsView } from "./views/agents.js";
import { clientsView } from "./views/clients.js";
import { overviewView } from "./views/overview.js";
import { sendView } from "./views/send.js";
import { swarmsView } from "./views/swarms.js";
import { tailView } from "./views/tail.js";
import { tasksView } from "./views/tasks.js";
import { topicsView } from "./views/topics.js";

const VIEWS = [overviewView, topicsView, clientsView, agentsView, tasksView, swarmsView, tailView, sendView];

const feed = new Feed();
const theme = new Theme(document.documentElement, localStorage);
const session = new Session(sessionStorage, feed);
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const app = new App({ root, feed, session, theme });
const context = makeContext({ feed, theme, changed: () => app.changed(), status: () => app.status });
app.start(VIEWS.map((makeView) => makeView(context)));
