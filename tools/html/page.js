'use strict';
// Draws the graph in #data. All text comes from a model file: it goes into the page as text nodes
// and attribute values only.
(() => {
  const begin = performance.now();
  const SVG = 'http://www.w3.org/2000/svg';
  const data = JSON.parse(document.getElementById('data').textContent);
  const byId = (id) => document.getElementById(id);
  const view = byId('view'), scene = byId('scene'), details = byId('details');

  function make(tag, attributes, text, space) {
    const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const svg = (tag, attributes, text) => make(tag, attributes, text, SVG);
  const shorten = (text, most) => text.length > most ? text.slice(0, most - 1) + '\u2026' : text;
  const number = (x) => x === null || x === undefined ? '?' : Number(x.toPrecision(6)).toString();
  const type = (value) => value.dtype + ' ' + (value.shape ? '[' + value.shape.join(',') + ']' : '[?]');

  // --- the picture

  const slowest = Math.max(...data.steps.map((step) => step.ms || 0), 0);
  // White to red by the square root of the share of the slowest step.
  const heat = (ms) => 'hsl(14, 90%, ' + (96 - 46 * Math.sqrt(ms / slowest)).toFixed(1) + '%)';

  function path(points) {
    let line = 'M' + points[0][0] + ',' + points[0][1];
    for (let i = 1; i < points.length; ++i) {
      const [ax, ay] = points[i - 1], [bx, by] = points[i], middle = (ay + by) / 2;
      line += 'C' + ax + ',' + middle + ' ' + bx + ',' + middle + ' ' + bx + ',' + by;
    }
    return line;
  }

  const edges = data.edges.map((edge, index) =>
      svg('path', {class: 'edge', 'data-edge': index, d: path(edge.points)}));

  const boxes = data.nodes.map((node, index) => {
    const box = svg('g', {
      class: 'node' + (node.end ? ' end' : ''), tabindex: 0, 'data-index': index,
      transform: 'translate(' + (node.x - node.width / 2) + ',' + (node.y - data.node_height / 2) + ')',
    });
    const rect = svg('rect', {width: node.width, height: data.node_height, rx: node.end ? 14 : 5});
    const step = node.step === undefined ? null : data.steps[node.step];
    if (slowest > 0 && step) {
      rect.style.fill = heat(step.ms);
      box.classList.add('timed');
    }
    box.append(rect, svg('text', {x: node.width / 2, y: 15}, node.label),
               svg('text', {x: node.width / 2, y: 28, class: 'small'}, node.note));
    return box;
  });
  scene.append(...edges, ...boxes);

  // Tool tips are made when they are needed: most never are.
  scene.addEventListener('pointerover', (event) => {
    const target = event.target.closest('.node, .edge');
    if (!target || target.querySelector('title')) return;
    const edge = data.edges[target.dataset.edge], node = data.nodes[target.dataset.index];
    const step = node && node.step !== undefined ? data.steps[node.step] : {};
    const time = step.ms === undefined ? '' : '\n' + number(step.ms) + ' ms';
    target.append(svg('title', {}, edge ? edge.value : node.name + time));
  });

  // --- pan and zoom: a point (x, y) of the graph is drawn at (x * scale + left, y * scale + top)

  const camera = {scale: 1, left: 0, top: 0};
  function look() {
    scene.setAttribute('transform', 'translate(' + camera.left + ',' + camera.top + ') scale(' + camera.scale + ')');
  }
  function zoom(factor, x, y) {
    const scale = Math.min(Math.max(camera.scale * factor, 0.02), 8), real = scale / camera.scale;
    camera.left = x - (x - camera.left) * real;
    camera.top = y - (y - camera.top) * real;
    camera.scale = scale;
    look();
  }
  function fit() {
    const area = view.getBoundingClientRect();
    camera.scale = Math.min(area.width / data.width, area.height / data.height, 1.5);
    camera.left = (area.width - data.width * camera.scale) / 2;
    camera.top = (area.height - data.height * camera.scale) / 2;
    look();
  }
  function start() {  // readable, from the top
    const area = view.getBoundingClientRect();
    camera.scale = Math.min(area.width / data.width, 1);
    if (camera.scale < 0.5) camera.scale = 0.5;
    const first = data.nodes.length > 0 ? data.nodes[0].x : data.width / 2;
    camera.left = data.width * camera.scale <= area.width ? (area.width - data.width * camera.scale) / 2
                                                          : area.width / 2 - first * camera.scale;
    camera.top = 0;
    look();
  }
  function centre(index) {
    const node = data.nodes[index], area = view.getBoundingClientRect();
    camera.scale = Math.max(camera.scale, 0.8);
    camera.left = area.width / 2 - node.x * camera.scale;
    camera.top = area.height / 2 - node.y * camera.scale;
    look();
  }
  view.addEventListener('wheel', (event) => {
    event.preventDefault();
    const area = view.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - area.left, event.clientY - area.top);
  }, {passive: false});

  // Pointers that are down; two of them pinch.
  const pointers = new Map();
  let moved = false;
  view.addEventListener('pointerdown', (event) => {
    pointers.set(event.pointerId, event);
    moved = false;
  });
  window.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    if (!moved && Math.hypot(dx, dy) < 4) return;
    moved = true;
    view.classList.add('dragging');
    const others = [...pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    if (others.length === 1) {
      const far = (a) => Math.hypot(a.clientX - others[0].clientX, a.clientY - others[0].clientY);
      const area = view.getBoundingClientRect();
      zoom(far(event) / Math.max(far(before), 1), others[0].clientX - area.left, others[0].clientY - area.top);
    } else {
      camera.left += dx;
      camera.top += dy;
      look();
    }
    pointers.set(event.pointerId, event);
  });
  for (const kind of ['pointerup', 'pointercancel']) {
    window.addEventListener(kind, (event) => {
      pointers.delete(event.pointerId);
      if (pointers.size === 0) view.classList.remove('dragging');
    });
  }
  const middle = (factor) => {
    const area = view.getBoundingClientRect();
    zoom(factor, area.width / 2, area.height / 2);
  };
  byId('in').addEventListener('click', () => middle(1.4));
  byId('out').addEventListener('click', () => middle(1 / 1.4));
  byId('fit').addEventListener('click', fit);

  // --- details

  let chosen = -1;
  const named = new Map();
  data.nodes.forEach((node, index) => { if (!node.end) named.set(node.name, index); });
  function link(name) {
    const index = named.get(name);
    if (index === undefined) return make('span', {}, name);
    const button = make('button', {class: 'link'}, name);
    button.addEventListener('click', () => { choose(index); centre(index); });
    return button;
  }
  const bars = (counts) => {
    const most = Math.max(...counts, 1);
    return counts.map((n) => n === 0 ? '\u00a0' : String.fromCharCode(0x2580 + Math.ceil(n * 8 / most))).join('');
  };
  function valueRow(value) {
    const row = make('div', {class: 'row'});
    if (value === null) {
      row.append(make('span', {class: 'dim'}, '(left out)'));
      return row;
    }
    row.append(value.name, make('div', {class: 'dim'}, type(value)));
    const constant = value.constant;
    if (constant && constant.min !== undefined) {
      row.append(make('div', {class: 'dim'}, 'constant, min ' + number(constant.min) + ', max ' + number(constant.max) +
                                                 ', mean ' + number(constant.mean)),
                 make('div', {}, bars(constant.histogram)));
    }
    // Of a node's own outputs, who uses them.
    const others = value.consumers || (value.producer !== undefined ? [value.producer] : []);
    others.forEach((name, i) => {
      const word = i > 0 ? ', ' : value.consumers ? 'used by ' : 'made by ';
      row.append(make('span', {class: 'dim'}, word), link(name));
    });
    return row;
  }
  function section(title, rows) {
    if (rows.length > 0) details.append(make('h3', {}, title), ...rows);
  }
  function show(node) {
    details.replaceChildren();
    const close = make('button', {class: 'close', title: 'close'}, '\u00d7');
    close.addEventListener('click', () => choose(-1));
    details.append(close, make('h2', {}, node.label), make('div', {class: 'row'}, node.name));
    const step = node.step === undefined ? null : data.steps[node.step];
    if (step) {
      const lines = ['step ' + node.step + ': ' + step.op + ', ' + step.kernel];
      if (step.why) lines.push(step.why);
      if (step.ms !== undefined) lines.push(number(step.ms) + ' ms, ' + number(100 * step.ms / data.total_ms) + ' %');
      section('computed by', lines.map((line) => make('div', {class: 'row'}, line)));
    } else if (!node.end && data.steps.length > 0) {
      section('computed by', [make('div', {class: 'row dim'}, 'nothing: the passes have removed it')]);
    }
    const full = node.details;
    section('attributes', (full.attributes || []).map(
        (a) => make('div', {class: 'row'}, a.name + ' = ' + shorten(JSON.stringify(a.value), 400))));
    section('inputs', (full.inputs || []).map(valueRow));
    section('outputs', (full.outputs || []).filter((value) => value !== null).map(valueRow));
  }
  function choose(index) {
    if (chosen >= 0) boxes[chosen].classList.remove('chosen');
    chosen = index;
    data.edges.forEach((edge, i) =>
        edges[i].classList.toggle('near', index >= 0 && (edge.from === index || edge.to === index)));
    details.hidden = index < 0;
    if (index < 0) return;
    boxes[index].classList.add('chosen');
    show(data.nodes[index]);
  }
  scene.addEventListener('click', (event) => {
    const box = event.target.closest('.node');
    if (box && !moved) choose(Number(box.dataset.index));
  });
  scene.addEventListener('keydown', (event) => {
    const box = event.target.closest('.node');
    if (box && event.key === 'Enter') choose(Number(box.dataset.index));
  });

  // --- search

  let found = [], at = -1;
  const words = data.nodes.map((node) => [node.name, node.label].concat(
      (node.details.outputs || []).map((value) => value ? value.name : '')).join('\n').toLowerCase());
  byId('search').addEventListener('input', (event) => {
    const text = event.target.value.trim().toLowerCase();
    found = text === '' ? [] : words.flatMap((each, index) => each.includes(text) ? [index] : []);
    at = -1;
    boxes.forEach((box, index) => box.classList.remove('found'));
    for (const index of found) boxes[index].classList.add('found');
    view.classList.toggle('searching', text !== '');
    byId('found').textContent = text === '' ? '' : found.length + ' found';
  });
  byId('search').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      event.target.value = '';
      event.target.dispatchEvent(new Event('input'));
    }
    if (event.key !== 'Enter' || found.length === 0) return;
    at = (at + (event.shiftKey ? found.length - 1 : 1)) % found.length;
    if (at < 0) at = 0;
    choose(found[at]);
    centre(found[at]);
    byId('found').textContent = (at + 1) + ' of ' + found.length;
  });

  document.title = data.model;
  byId('title').textContent = data.model;
  if (slowest > 0) byId('legend').textContent = 'colour: time of the step, white to red (' + number(slowest) + ' ms)';
  start();
  requestAnimationFrame(() => setTimeout(() => {
    const ms = Math.round(performance.now() - begin);
    byId('status').textContent = data.nodes.length + ' boxes, drawn in ' + ms + ' ms';
    document.documentElement.dataset.drawn = ms;
  }));
})();
