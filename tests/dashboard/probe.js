// Runs before the page: notes what the worker tells it, violations of the policy, and how smoothly it is drawn.
globalThis.probe = {
  slices: {},
  frames: 0,
  violations: [],
  smoothness: null,

  /** Begin to note the time of each frame and the tasks that take longer than 50 ms. */
  beginMeasuring() {
    const noted = { frames: [], tasks: [], began: performance.now(), seen: this.slices.status?.seen ?? 0 };
    const observer = new PerformanceObserver((list) => {
      noted.tasks.push(...list.getEntries().map((entry) => entry.duration));
    });
    observer.observe({ type: "longtask" });
    let last = 0;
    const tick = (now) => {
      if (last) noted.frames.push(now - last);
      last = now;
      noted.handle = requestAnimationFrame(tick);
    };
    noted.handle = requestAnimationFrame(tick);
    noted.observer = observer;
    this.smoothness = noted;
  },

  /** End it; returns what was noted. */
  endMeasuring() {
    const { frames, tasks, began, seen, handle, observer } = this.smoothness;
    cancelAnimationFrame(handle);
    tasks.push(...observer.takeRecords().map((entry) => entry.duration));
    observer.disconnect();
    const status = this.slices.status;
    return { frames, tasks, ms: performance.now() - began, seen: (status?.seen ?? 0) - seen, rate: status?.rate ?? 0 };
  },
};

// A tab in the background: the browser says so, and draws no frames until it is in front again. Headless ones never are.
const draw = globalThis.requestAnimationFrame.bind(globalThis);
let isHidden = false;
const waiting = [];
globalThis.requestAnimationFrame = (callback) => (isHidden ? -waiting.push(callback) : draw(callback));
Object.defineProperty(document, "hidden", { get: () => isHidden });
Object.defineProperty(document, "visibilityState", { get: () => (isHidden ? "hidden" : "visible") });
globalThis.probe.hide = (hidden) => {
  isHidden = hidden;
  document.dispatchEvent(new Event("visibilitychange"));
  if (!hidden) waiting.splice(0).forEach((callback) => draw(callback));
};

document.addEventListener("securitypolicyviolation", (event) => {
  globalThis.probe.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});

globalThis.Worker = class extends globalThis.Worker {
  constructor(...parameters) {
    super(...parameters);
    this.addEventListener("message", ({ data }) => {
      if (data?.is !== "frame") return;
      globalThis.probe.frames += 1;
      Object.assign(globalThis.probe.slices, data.slices);
    });
  }
};
