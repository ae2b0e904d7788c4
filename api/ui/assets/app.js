// What makes the pages live. Without it they show the same, as of when they were loaded.
'use strict';
(() => {
  // Live values: the node says what changed, at most once a second.
  const places = () => document.querySelectorAll('[data-live]');
  const listen = () => {
    if (!places().length && !document.querySelector('[data-refresh]')) return;
    let mark = null, source = null, later = 0;
    const show = (event) => {
      const now = JSON.parse(event.data);
      for (const place of places()) {
        const text = now[place.dataset.live];
        if (text === undefined || place.textContent.trim() === text) continue;
        place.textContent = text;
        place.classList.remove('pulse');
        void place.offsetWidth;
        place.classList.add('pulse');
      }
      if (mark !== null && mark !== now.mark) document.body.dispatchEvent(new CustomEvent('purser:changed'));
      mark = now.mark;
    };
    // Browsers hold few connections to one host: a page that nobody sees gives its own back.
    const close = () => { clearTimeout(later); source?.close(); source = null; };
    const open = () => {
      if (source || document.hidden) return;
      clearTimeout(later);
      const stream = source = new EventSource('/ui/live');
      stream.addEventListener('pulse', show);
      stream.addEventListener('error', () => {
        if (stream !== source || stream.readyState !== EventSource.CLOSED) return; // else it tries again by itself
        close();
        later = setTimeout(open, 30_000);
      });
    };
    document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
    addEventListener('pagehide', close);
    addEventListener('pageshow', open);
    open();
  };

  // Charts: pointing reads a column out, dragging chooses the time between two.
  const charts = () => {
    for (const chart of document.querySelectorAll('[data-chart]')) {
      const svg = chart.querySelector('.plot svg'), brush = chart.querySelector('.brush'), readout = chart.querySelector('.readout');
      const columns = [...chart.querySelectorAll('.column')];
      if (!columns.length) continue;
      let began = null;
      const at = (event) => {
        const box = svg.getBoundingClientRect();
        return Math.max(0, Math.min(columns.length - 1, Math.floor((event.clientX - box.left) / box.width * columns.length)));
      };
      const ends = (event) => { const now = at(event); return [Math.min(began, now), Math.max(began, now)]; };
      svg.addEventListener('pointermove', (event) => {
        readout.textContent = columns[at(event)].querySelector('title').textContent.replaceAll('\n', '  ·  ');
        if (began === null) return;
        const [first, last] = ends(event), wide = 1000 / columns.length;
        brush.setAttribute('x', first * wide);
        brush.setAttribute('width', (last - first + 1) * wide);
      });
      svg.addEventListener('pointerdown', (event) => {
        if (event.button !== 0) return;
        began = at(event);
        svg.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      const clear = () => { began = null; brush.setAttribute('width', 0); };
      svg.addEventListener('pointerup', (event) => {
        if (began === null) return;
        const [first, last] = ends(event);
        clear();
        if (first === last && event.pointerType !== 'mouse') return;
        const to = new URL('/ui/explorer', location.origin), here = new URLSearchParams(location.search);
        if (location.pathname === to.pathname) to.search = here;
        to.searchParams.delete('range');
        to.searchParams.set('from', columns[first].dataset.from);
        to.searchParams.set('to', columns[last].dataset.to);
        location.assign(to);
      });
      svg.addEventListener('pointercancel', clear);
      svg.addEventListener('pointerleave', () => { if (began === null) readout.textContent = ''; });
    }
  };

  // Questions before changes that cannot be taken back.
  addEventListener('submit', (event) => {
    const ask = event.submitter?.dataset.ask || event.target.dataset.ask;
    if (ask && !confirm(ask)) event.preventDefault();
  });

  // Copying of what is shown once.
  addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    const text = document.querySelector(button.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => { button.textContent = 'Copied'; });
  });

  addEventListener('DOMContentLoaded', () => {
    for (const hint of document.querySelectorAll('[data-script]')) hint.hidden = false;
    listen();
    charts(); });
})();
