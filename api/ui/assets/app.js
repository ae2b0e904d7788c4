// What makes the pages live. Without it they show the same, as of when they were loaded.
'use strict';
(() => {
  // Live values: the node says what changed, at most once a second.
  const places = () => document.querySelectorAll('[data-live]');
  const listen = () => {
    if (!places().length && !document.querySelector('[data-refresh]')) return;
    let mark = null;
    const source = new EventSource('/ui/live');
    source.addEventListener('pulse', (event) => {
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
    });
    addEventListener('pagehide', () => source.close());
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

  addEventListener('DOMContentLoaded', listen);
})();
