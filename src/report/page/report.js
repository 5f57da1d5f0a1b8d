'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const {metrics, mixers, sources} = data;
  const byId = id => document.getElementById(id);
  const kTableRows = 500, kReach = 16;
  const kMargin = {left: 74, right: 18, top: 14, bottom: 52};

  // [trial, name, layout, letters, flags, values, deviations, sources]; flags: 1 on front, 2 feasible, 4 baseline
  const points = data.points.map(([trial, name, layout, letters, flags, values, deviations, source]) => ({
    trial, name, layout, letters, values, deviations, source,
    onFront: (flags & 1) > 0, feasible: (flags & 2) > 0, baseline: (flags & 4) > 0,
  }));
  const colours = new Map(mixers.map(m => [m.letter, m]));

  // --- numbers: the rules of number_format.h ---
  const decimals = v => v === 0 ? 0 : Math.max(0, 2 - Number(Math.abs(v).toExponential(2).split('e')[1]));
  const plain = v => {
    const size = Math.abs(v);
    if (size < 999999.5 && Number.isInteger(v)) return String(v);
    if (size >= 999999.5 || size < 1e-4) return v.toExponential(2);
    return v.toFixed(decimals(v));
  };
  const unitOf = (metric, size) => {
    const steps = metric.units;
    let chosen = size === 0 ? steps.find(u => u[0] === 1) : steps[0];
    if (size !== 0) for (const next of steps) if (next[0] > chosen[0] && Math.abs(size) >= next[0] - .5 * chosen[0]) chosen = next;
    return {factor: chosen[0], suffix: chosen[1], space: chosen[1] && !chosen[2] ? ' ' : ''};
  };
  const format = (metric, value, deviation) => {
    const size = Math.max(Math.abs(value), deviation || 0);
    const unit = unitOf(metric, size), scaled = value / unit.factor;
    let text;
    if (deviation == null) {
      text = unit.factor === 1 ? plain(scaled) : scaled.toFixed(decimals(scaled));
    } else {
      const spread = deviation / unit.factor, largest = size / unit.factor;
      if (largest >= 999999.5 || (largest > 0 && largest < 1e-4)) {
        text = scaled.toExponential(2) + ' ± ' + spread.toExponential(2);
      } else {
        let d = decimals(largest);
        if (spread > 0) d = Math.min(Math.max(-Math.floor(Math.log10(spread)), d), d + 2);
        text = scaled.toFixed(d).replace(/^-(?=[0.]*$)/, '') + ' ± ' + spread.toFixed(d);
      }
    }
    return text + unit.space + unit.suffix;
  };

  // --- axes: the rules of axis_scale.h ---
  const multiple = (k, m, e) => e < 0 ? k * m / 10 ** -e : k * m * 10 ** e;
  const linearStep = (low, high, count) => {
    for (let e = Math.floor(Math.log10((high - low) / count)) - 1;; ++e) {
      for (const m of [1, 2, 5]) {
        const size = multiple(1, m, e);
        if (Math.floor(high / size) - Math.ceil(low / size) + 1 <= count) return [m, e];
      }
    }
  };
  const linearTicks = (low, high, count) => {
    const [m, e] = linearStep(low, high, count), size = multiple(1, m, e), ticks = [];
    for (let k = Math.ceil(low / size); k <= Math.floor(high / size); ++k) ticks.push(multiple(k, m, e));
    return ticks;
  };
  const logTicks = (low, high, count, binary) => {
    const base = binary ? 2 : 10;
    const first = Math.floor(Math.log(low) / Math.log(base)) - 1, last = Math.ceil(Math.log(high) / Math.log(base)) + 1;
    const every = (stride, mantissas) => {
      const ticks = [];
      for (let e = first; e <= last; ++e) {
        if (e % stride !== 0) continue;
        for (const m of mantissas) ticks.push(binary ? 2 ** e : multiple(1, m, e));
      }
      return ticks.filter(t => t >= low && t <= high);
    };
    let ticks = every(1, binary ? [1] : [1, 2, 5]);
    for (let stride = 1; ticks.length > count; ++stride) ticks = every(stride, [1]);
    return ticks.length >= 2 ? ticks : linearTicks(low, high, count);
  };
  const shorter = text => String(Number(text));

  class Scale {
    constructor(metric, values, log) {
      this.metric = metric;
      this.log = log;
      let low = Infinity, high = -Infinity;
      for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
      if (low > high) { low = 0; high = 1; }
      this.unit = unitOf(metric, Math.max(Math.abs(low), Math.abs(high)));
      if (log) { low = Math.log(low); high = Math.log(high); }
      const size = Math.max(Math.abs(low), Math.abs(high));
      if (high - low <= 1e-9 * size || high === low) {
        const room = log ? .5 : size > 0 ? .1 * size : 1;
        low -= room;
        high += room;
      }
      const padding = .04 * (high - low);
      this.low = low - padding;
      this.high = high + padding;
    }
    at(v) { return ((this.log ? Math.log(v) : v) - this.low) / (this.high - this.low); }
    ticks(count) {
      if (this.log) {
        return logTicks(Math.exp(this.low), Math.exp(this.high), count, this.metric.binary).map(v => {
          const unit = unitOf(this.metric, v);
          return [v, shorter((v / unit.factor).toPrecision(6)) + unit.space + unit.suffix];
        });
      }
      const f = this.unit.factor, low = this.low / f, high = this.high / f;
      const digits = Math.max(0, -linearStep(low, high, count)[1]);
      return linearTicks(low, high, count).map(v => [
        v * f, v === 0 ? '0' : digits > 5 || Math.abs(v) >= 1e6 ? shorter(v.toPrecision(6)) : v.toFixed(digits)]);
    }
    title() {
      return this.metric.label + (this.log || !this.unit.suffix ? '' : ` (${this.unit.suffix})`);
    }
  }

  // --- state ---
  const state = {x: data.x, y: data.y, xlog: false, ylog: false, hover: -1, pinned: -1, sort: -1, up: true, all: false};
  let view = null;  // what is on screen: scales, visible point indices, their pixels, the front

  const range = m => {
    let low = Infinity, high = -Infinity;
    for (const p of points) if (p.values[m] != null) { low = Math.min(low, p.values[m]); high = Math.max(high, p.values[m]); }
    return [low, high];
  };
  const canLog = m => range(m)[0] > 0 && range(m)[0] < Infinity;
  const wantsLog = m => { const [low, high] = range(m); return low > 0 && high > 100 * low; };
  const cost = (p, m) => metrics[m].minimize ? p.values[m] : -p.values[m];

  /** Indices that no other of `list` dominates on these axes, from the best x; one per coordinate pair. */
  const edgeOf = list => {
    const sorted = [...list].sort((a, b) => cost(points[a], state.x) - cost(points[b], state.x) ||
                                            cost(points[a], state.y) - cost(points[b], state.y) || a - b);
    let best = Infinity;
    return sorted.filter(i => cost(points[i], state.y) < best && ((best = cost(points[i], state.y)), true));
  };
  const frontOf = visible => {
    const asStudied = state.x === data.x && state.y === data.y;
    if (asStudied) return visible.filter(i => points[i].onFront);
    return edgeOf(visible.filter(i => points[i].feasible));
  };

  // --- drawing ---
  const svgNode = (parent, tag, attributes, text) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text != null) node.textContent = text;
    parent.append(node);
    return node;
  };
  const polygon = corners => 'M' + corners.map(([x, y]) => x.toFixed(1) + ',' + y.toFixed(1)).join('L') + 'Z';
  const shapeOf = source => ({measured: 'square', exact: 'square', surrogate: 'triangle'})[sources[source]] || 'circle';
  /** A marker of the area of a circle of radius r. */
  const marker = (shape, x, y, r) => {
    if (shape === 'square') { const h = r * .886; return polygon([[x - h, y - h], [x + h, y - h], [x + h, y + h], [x - h, y + h]]); }
    if (shape === 'diamond') { const h = r * 1.253; return polygon([[x, y - h], [x + h, y], [x, y + h], [x - h, y]]); }
    if (shape === 'triangle') { const h = r * 1.555; return polygon([[x, y - h], [x + .866 * h, y + h / 2], [x - .866 * h, y + h / 2]]); }
    return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0Z`;
  };

  function draw() {
    const box = byId('plot').getBoundingClientRect();
    const width = Math.max(320, box.width), height = Math.max(240, box.height);
    const plot = {left: kMargin.left, top: kMargin.top, right: width - kMargin.right, bottom: height - kMargin.bottom};
    const visible = [];
    points.forEach((p, i) => { if (p.values[state.x] != null && p.values[state.y] != null) visible.push(i); });
    const front = frontOf(visible), inFront = new Set(front), edge = edgeOf(front);
    const extent = (m, log) => {
      const list = visible.map(i => points[i].values[m]), least = list.reduce((a, b) => Math.min(a, b), Infinity);
      for (const i of visible) {
        const p = points[i], d = p.deviations && p.deviations[m];
        if (d == null || !(inFront.has(i) || p.baseline)) continue;
        list.push(p.values[m] + d);
        if (p.values[m] - d > 0 || (!log && least <= 0)) list.push(p.values[m] - d);
      }
      return list;
    };
    const sx = new Scale(metrics[state.x], extent(state.x, state.xlog), state.xlog);
    const sy = new Scale(metrics[state.y], extent(state.y, state.ylog), state.ylog);
    const px = v => plot.left + sx.at(v) * (plot.right - plot.left);
    const py = v => plot.bottom - sy.at(v) * (plot.bottom - plot.top);
    const xs = new Float64Array(points.length), ys = new Float64Array(points.length);
    for (const i of visible) { xs[i] = px(points[i].values[state.x]); ys[i] = py(points[i].values[state.y]); }
    view = {width, height, plot, visible, front, inFront, edge, sx, sy, px, py, xs, ys};
    drawBack();
    drawCloud();
    drawOver();
  }

  function drawBack() {
    const {plot, sx, sy, px, py, edge, xs, ys, width, height} = view, svg = byId('back');
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    if (edge.length) {
      const worstX = sx.metric.minimize ? plot.right : plot.left, worstY = sy.metric.minimize ? plot.top : plot.bottom;
      svgNode(svg, 'path', {class: 'region', d: polygon([[xs[edge[0]], worstY], ...stairs(), [worstX, ys[edge.at(-1)]], [worstX, worstY]])});
    }
    for (const [v, label] of sy.ticks(Math.max(2, Math.round((plot.bottom - plot.top) / 50)))) {
      svgNode(svg, 'path', {class: 'gridline', d: `M${plot.left},${py(v)}H${plot.right}`});
      svgNode(svg, 'text', {x: plot.left - 8, y: py(v) + 4, 'text-anchor': 'end'}, label);
    }
    for (const [v, label] of sx.ticks(Math.max(2, Math.round((plot.right - plot.left) / 90)))) {
      svgNode(svg, 'path', {class: 'gridline', d: `M${px(v)},${plot.top}V${plot.bottom}`});
      svgNode(svg, 'text', {x: px(v), y: plot.bottom + 18, 'text-anchor': 'middle'}, label);
    }
    svgNode(svg, 'path', {class: 'axis', d: `M${plot.left},${plot.top}V${plot.bottom}H${plot.right}`});
    svgNode(svg, 'text', {class: 'title', x: (plot.left + plot.right) / 2, y: plot.bottom + 40, 'text-anchor': 'middle'}, sx.title());
    svgNode(svg, 'text', sx.metric.minimize ? {x: plot.left, y: plot.bottom + 40} : {x: plot.right, y: plot.bottom + 40, 'text-anchor': 'end'},
            sx.metric.minimize ? '← better' : 'better →');
    const upright = (y, anchor, text, kind) => svgNode(svg, 'text', {
      class: kind, x: 14, y, 'text-anchor': anchor, transform: `rotate(-90 14 ${y})`}, text);
    upright((plot.top + plot.bottom) / 2, 'middle', sy.title(), 'title');
    upright(sy.metric.minimize ? plot.bottom : plot.top, sy.metric.minimize ? 'start' : 'end', sy.metric.minimize ? '← better' : 'better →', '');
  }

  function stairs() {
    const {edge, xs, ys} = view, line = [];
    for (const i of edge) {
      if (line.length) line.push([xs[i], line.at(-1)[1]]);
      line.push([xs[i], ys[i]]);
    }
    return line;
  }

  function drawCloud() {
    const {visible, inFront, xs, ys, width, height} = view, canvas = byId('cloud');
    const ratio = Math.max(2, window.devicePixelRatio || 1);
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    pen.fillStyle = pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--dominated').trim();
    for (const i of visible) {
      const p = points[i];
      if (inFront.has(i) || p.baseline) continue;
      const shape = new Path2D(marker(shapeOf(p.source[state.y]), xs[i], ys[i], 2.6));
      pen.globalAlpha = p.feasible ? .4 : .6;
      p.feasible ? pen.fill(shape) : pen.stroke(shape);
    }
  }

  function drawOver() {
    const {plot, visible, front, px, py, xs, ys, width, height} = view, svg = byId('over');
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const line = stairs();
    if (line.length > 1) svgNode(svg, 'path', {class: 'stairs', d: 'M' + line.map(([x, y]) => x.toFixed(1) + ',' + y.toFixed(1)).join('L')});
    const bars = (i, kind) => {
      const p = points[i], inX = v => Math.min(Math.max(v, plot.left), plot.right), inY = v => Math.min(Math.max(v, plot.top), plot.bottom);
      const d = m => p.deviations && p.deviations[m];
      if (d(state.y) > 0) {
        const a = inY(py(p.values[state.y] + d(state.y))), b = py(p.values[state.y] - d(state.y));
        svgNode(svg, 'path', {class: 'bar ' + kind, d: `M${xs[i]},${a}V${Number.isFinite(b) ? inY(b) : plot.bottom}`});
      }
      if (d(state.x) > 0) {
        const a = inX(px(p.values[state.x] + d(state.x))), b = px(p.values[state.x] - d(state.x));
        svgNode(svg, 'path', {class: 'bar ' + kind, d: `M${a},${ys[i]}H${Number.isFinite(b) ? inX(b) : plot.left}`});
      }
    };
    const baselines = visible.filter(i => points[i].baseline);
    front.forEach(i => bars(i, ''));
    baselines.forEach(i => bars(i, 'baseline'));
    for (const i of front) {
      if (!points[i].baseline) svgNode(svg, 'path', {class: 'mark', 'data-point': i, d: marker(shapeOf(points[i].source[state.y]), xs[i], ys[i], 4.5)});
    }
    for (const i of visible) {
      if (isMeasured(points[i])) svgNode(svg, 'circle', {class: 'measured', cx: xs[i], cy: ys[i], r: 7.5});
    }
    for (const i of baselines) {
      const kind = points[i].feasible ? '' : ' infeasible';
      svgNode(svg, 'path', {class: 'mark baseline' + kind, 'data-point': i, d: marker('diamond', xs[i], ys[i], 5)});
      const leftwards = xs[i] > plot.right - 130;
      svgNode(svg, 'text', {class: 'name', x: xs[i] + (leftwards ? -10 : 10), y: ys[i] + 14, 'text-anchor': leftwards ? 'end' : 'start'}, points[i].name);
    }
    for (const [i, kind] of [[state.pinned, 'ring pinned'], [state.hover, 'ring']]) {
      if (i >= 0 && points[i].values[state.x] != null && points[i].values[state.y] != null) {
        svgNode(svg, 'circle', {class: kind, cx: xs[i], cy: ys[i], r: 8});
      }
    }
  }

  // --- cards, panel, table ---
  const element = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const strip = letters => {
    const row = element('div', {className: 'strip', ariaLabel: 'layers ' + letters});
    row.setAttribute('role', 'img');
    for (const letter of letters) {
      const mixer = colours.get(letter) || {colour: '#6e7781', ink: '#fff', label: letter};
      const cell = element('i', {title: mixer.label}, letter);
      cell.style.background = mixer.colour;
      cell.style.color = mixer.ink;
      row.append(cell);
    }
    return row;
  };
  const isMeasured = p => sources[p.source[state.y]] !== 'measured' &&
    p.source.some((s, m) => sources[s] === 'measured' && m !== state.x && m !== state.y);
  const measuredLabels = () => metrics.filter((metric, m) => m !== state.x && m !== state.y && points.some(p => sources[p.source[m]] === 'measured'))
    .map(metric => metric.label);
  const kindOf = i => {
    const p = points[i];
    return (p.baseline ? 'baseline, ' : '') + (!p.feasible ? 'infeasible' : view.inFront.has(i) ? 'on the front' : 'dominated');
  };
  function card(i) {
    const p = points[i], body = element('tbody');
    metrics.forEach((metric, m) => {
      if (p.values[m] == null) return;
      body.append(element('tr', {}, element('td', {}, metric.label), element('td', {}, format(metric, p.values[m], p.deviations && p.deviations[m])),
                          element('td', {}, sources[p.source[m]])));
    });
    return element('div', {className: 'card'},
                   element('h3', {}, p.name || 'trial ' + p.trial, element('small', {}, (p.name ? ' · trial ' + p.trial : '') + ' · ' + kindOf(i))),
                   strip(p.letters), element('code', {}, p.layout), element('table', {}, body));
  }
  async function copy(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element('textarea', {value: text});
      document.body.append(area);
      area.select();
      done = document.execCommand('copy');
      area.remove();
    }
    const before = button.textContent;
    button.textContent = done ? 'copied' : 'select and copy by hand';
    setTimeout(() => { button.textContent = before; }, 1500);
  }
  function drawPanel() {
    const panel = byId('panel'), i = state.pinned;
    panel.className = i < 0 ? 'empty' : '';
    if (i < 0) {
      panel.replaceChildren(element('p', {className: 'muted'}, 'Click a point, or press Enter on it, to keep it here.'));
      return;
    }
    const node = card(i), actions = element('div', {className: 'actions'});
    const notation = element('button', {type: 'button'}, 'copy notation');
    notation.onclick = () => copy(points[i].layout, notation);
    actions.append(notation);
    if (data.command) {
      const line = data.command.split('{trial}').join(points[i].trial);
      const command = element('button', {type: 'button'}, 'copy export command');
      command.onclick = () => copy(line, command);
      actions.append(command);
      node.append(element('code', {className: 'command'}, line));
    }
    const release = element('button', {type: 'button'}, 'unpin');
    release.onclick = () => pin(-1);
    actions.append(release);
    node.append(actions);
    panel.replaceChildren(node);
  }

  function drawTable() {
    const table = byId('front'), head = element('tr'), column = (label, key) => {
      const button = element('button', {type: 'button'}, label), cell = element('th', {scope: 'col'}, button);
      cell.setAttribute('aria-sort', state.sort === key ? (state.up ? 'ascending' : 'descending') : 'none');
      button.onclick = () => {
        state.up = state.sort === key ? !state.up : true;
        state.sort = key;
        drawTable();
      };
      head.append(cell);
    };
    column('trial', -2);
    metrics.forEach((metric, m) => column(metric.label, m));
    head.append(element('th', {scope: 'col'}, 'layout'));
    table.tHead.replaceChildren(head);

    const rows = [...view.front];
    const key = i => state.sort === -2 ? points[i].trial : points[i].values[state.sort < 0 ? state.x : state.sort];
    const natural = new Intl.Collator('en', {numeric: true});
    rows.sort((a, b) => {
      const left = key(a), right = key(b);
      if (left == null || right == null) return (left == null) - (right == null);
      const order = typeof left === 'string' ? natural.compare(left, right) : left - right;
      return (state.up ? order : -order) || a - b;
    });
    const shown = state.all ? rows : rows.slice(0, kTableRows);
    const list = document.createDocumentFragment();
    for (const i of shown) {
      const p = points[i], button = element('button', {type: 'button'}, p.trial);
      button.onclick = () => pin(i);
      const row = element('tr', {className: i === state.pinned ? 'pinned' : ''}, element('td', {}, button));
      metrics.forEach((metric, m) => row.append(element('td', {}, p.values[m] == null ? '' : format(metric, p.values[m], p.deviations && p.deviations[m]))));
      const cell = element('td', {title: p.layout}, strip(p.letters));
      row.append(cell);
      list.append(row);
    }
    table.tBodies[0].replaceChildren(list);
    byId('front-title').textContent = `Front: ${metrics[state.y].label} vs ${metrics[state.x].label}, ${rows.length} ${rows.length === 1 ? 'layout' : 'layouts'}`;
    const more = byId('more');
    more.replaceChildren();
    if (shown.length < rows.length) {
      const button = element('button', {type: 'button'}, `show all ${rows.length}`);
      button.onclick = () => { state.all = true; drawTable(); };
      more.append(`${shown.length} of ${rows.length} shown `, button);
    }
  }

  function drawLegend() {
    const legend = byId('legend'), item = (text, attributes, shape) => {
      const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      icon.setAttribute('width', 16);
      icon.setAttribute('height', 14);
      svgNode(icon, 'path', {d: shape, ...attributes});
      legend.append(element('span', {}, icon, text));
    };
    legend.replaceChildren();
    const {visible, inFront} = view, any = test => visible.some(i => test(points[i], i));
    if (view.front.length) item('front', {class: 'mark'}, marker('circle', 8, 7, 4.5));
    if (any((p, i) => p.feasible && !inFront.has(i) && !p.baseline)) item('dominated', {fill: 'var(--dominated)', 'fill-opacity': .6}, marker('circle', 8, 7, 3));
    if (any(p => !p.feasible && !p.baseline)) item('infeasible', {fill: 'none', stroke: 'var(--dominated)'}, marker('circle', 8, 7, 3));
    if (any(p => p.baseline)) item('baseline', {class: 'mark baseline'}, marker('diamond', 8, 7, 4.5));
    if (any(isMeasured)) item('measured: ' + measuredLabels()[0], {class: 'measured'}, marker('circle', 8, 7, 6));
    sources.forEach((source, s) => {
      if (any(p => p.source[state.y] === s)) item(`${metrics[state.y].label}: ${source}`, {fill: 'none', stroke: 'var(--ink)'}, marker(shapeOf(s), 8, 7, 4));
    });
    for (const mixer of mixers) legend.append(element('span', {}, strip(mixer.letter), mixer.label));
  }

  // --- acting ---
  function hover(i, where) {
    state.hover = i;
    drawOver();
    const tip = byId('tip');
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.replaceChildren(card(i));
    const {width, height, xs, ys} = view, size = tip.getBoundingClientRect();
    const x = xs[i] + 16 + size.width <= width ? xs[i] + 16 : Math.max(0, xs[i] - 16 - size.width);
    tip.style.left = x + 'px';
    tip.style.top = Math.max(0, Math.min(height - size.height, ys[i] + 12)) + 'px';
    if (where === 'keyboard') {
      const p = points[i];
      byId('live').textContent = `${p.name || 'trial ' + p.trial}, ${kindOf(i)}: ` +
          [state.y, state.x].map(m => `${metrics[m].label} ${format(metrics[m], p.values[m], p.deviations && p.deviations[m])}`).join(', ') + `, layers ${p.layout}`;
    }
  }
  function pin(i) {
    state.pinned = i;
    drawOver();
    drawPanel();
    drawTable();
  }
  function nearest(x, y) {
    let best = -1, least = kReach;
    for (const i of view.visible) {
      // Front points and baselines are easier to hit than what lies below them.
      const distance = Math.hypot(view.xs[i] - x, view.ys[i] - y) * (view.inFront.has(i) || points[i].baseline ? .6 : 1);
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
  const plot = byId('plot');
  const locate = event => {
    const box = plot.getBoundingClientRect();
    return nearest(event.clientX - box.left, event.clientY - box.top);
  };
  plot.addEventListener('pointermove', event => { const i = locate(event); if (i !== state.hover) hover(i, 'pointer'); });
  plot.addEventListener('pointerleave', () => hover(-1));
  plot.addEventListener('click', event => { const i = locate(event); if (i >= 0) pin(i); });
  plot.addEventListener('blur', () => hover(-1));
  plot.addEventListener('keydown', event => {
    const stops = view.visible.filter(i => event.shiftKey || view.inFront.has(i) || points[i].baseline)
                      .sort((a, b) => view.xs[a] - view.xs[b] || view.ys[b] - view.ys[a] || a - b);
    const at = stops.indexOf(state.hover), last = stops.length - 1;
    const next = {ArrowRight: at < 0 ? 0 : Math.min(at + 1, last), ArrowUp: at < 0 ? 0 : Math.min(at + 1, last),
                  ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), ArrowDown: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last}[event.key];
    if (next !== undefined && stops.length) hover(stops[next], 'keyboard');
    else if ((event.key === 'Enter' || event.key === ' ') && state.hover >= 0) pin(state.hover);
    else if (event.key === 'Escape') { hover(-1); pin(-1); }
    else return;
    event.preventDefault();
  });

  function refresh() {
    for (const axis of ['x', 'y']) {
      const box = byId(axis + 'log');
      box.disabled = !canLog(state[axis]);
      box.parentElement.title = box.disabled ? 'there are values of 0 or below' : '';
      if (box.disabled) state[axis + 'log'] = false;
      box.checked = state[axis + 'log'];
    }
    state.hover = -1;
    byId('tip').hidden = true;
    plot.setAttribute('aria-label', `${metrics[state.y].label} against ${metrics[state.x].label}`);
    draw();
    drawLegend();
    drawPanel();
    drawTable();
    const known = view.visible.length;
    byId('count').textContent = `${known} of ${points.length} layouts have both`;
    byId('count').hidden = known === points.length;
  }
  for (const axis of ['x', 'y']) {
    const select = byId(axis), box = byId(axis + 'log');
    metrics.forEach((metric, m) => select.append(element('option', {value: m, title: metric.help}, metric.label)));
    select.value = state[axis];
    state[axis + 'log'] = wantsLog(state[axis]);
    select.onchange = () => {
      state[axis] = Number(select.value);
      state[axis + 'log'] = wantsLog(state[axis]);
      state.all = false;
      refresh();
    };
    box.onchange = () => { state[axis + 'log'] = box.checked; refresh(); };
  }
  byId('controls').onsubmit = event => event.preventDefault();
  byId('app').hidden = false;
  refresh();
  new ResizeObserver(() => { draw(); }).observe(plot);
  for (const query of ['print', '(prefers-color-scheme: dark)']) matchMedia(query).addEventListener('change', drawCloud);
})();
